"""Scores of the package image-reward for a folder of weights, images and prompts; run by its own Python.

    python reference_image_reward.py FOLDER WIDTH LAYERS PATCH > scores.json

Only the image encoder's sizes and the tokenizer's source are replaced: the package knows two sizes, and fetches.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from layouts import mend_torchvision
from PIL import Image


def main(folder: Path, width: int, layers: int, patch: int) -> None:
    """Print the scores, a list of images for each prompt."""
    import ImageReward
    from ImageReward.models.BLIP import blip, blip_pretrain, vit

    read = blip.BertTokenizer.from_pretrained
    blip.BertTokenizer.from_pretrained = lambda name: read(folder)
    if (width, layers, patch) != (1024, 24, 16):
        encoder = vit.VisionTransformer(
            img_size=224, patch_size=patch, embed_dim=width, depth=layers, num_heads=width // 64
        )
        blip_pretrain.create_vit = lambda *sizes: (encoder, width)
    out, sys.stdout = sys.stdout, sys.stderr  # the package prints
    model = ImageReward.load(str(folder / "ImageReward.pt"), device="cpu", med_config=str(folder / "med_config.json"))
    model.load_state_dict(torch.load(folder / "ImageReward.pt", weights_only=True), strict=True)
    images = [Image.fromarray(image) for image in np.load(folder / "images.npy")]
    prompts = json.loads((folder / "prompts.json").read_text())
    with torch.no_grad():
        scores = [[model.score(prompt, image) for image in images] for prompt in prompts]
    json.dump(scores, out)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    mend_torchvision()
    main(Path(sys.argv[1]), *(int(size) for size in sys.argv[2:5]))

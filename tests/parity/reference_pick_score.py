"""Scores of PickScore's published recipe on transformers, for a folder of weights, images and prompts.

    python reference_pick_score.py FOLDER > scores.json

The authors' few lines (README of yuvalkirstain/PickScore) with transformers' CLIPModel and CLIPProcessor; there is no
package.  The processor resizes with Pillow, as the only one of that time did.
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


@torch.no_grad()
def main(folder: Path) -> dict[str, list[list[float]]]:
    """Scores by Pillow's and by torchvision's processor, a list of images for each prompt."""
    from open_clip.tokenizer import SimpleTokenizer
    from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    vocabulary = SimpleTokenizer()  # CLIP's own vocabulary, which the hub's repositories have as two files
    start, end = "<|startoftext|>", "<|endoftext|>"  # their names there
    ids = {word: index for word, index in vocabulary.encoder.items() if index < 49406} | {start: 49406, end: 49407}
    special = {"bos_token": start, "eos_token": end, "pad_token": end, "unk_token": end}
    tokenizer = CLIPTokenizer(vocab=ids, merges=[tuple(pair) for pair in vocabulary.bpe_ranks], **special)
    model = CLIPModel.from_pretrained(folder).eval()
    side = model.config.vision_config.image_size
    images = [Image.fromarray(image) for image in np.load(folder / "images.npy")]
    prompts = json.loads((folder / "prompts.json").read_text())
    scores = {}
    for name, processor in (("pillow", CLIPImageProcessorPil), ("torchvision", CLIPImageProcessor)):
        seen = processor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})(
            images=images, return_tensors="pt"
        )
        image = unit(model.get_image_features(**seen))
        rows = []
        for prompt in prompts:
            read = tokenizer([prompt], padding=True, truncation=True, max_length=77, return_tensors="pt")
            text = unit(model.get_text_features(**{key: read[key] for key in ("input_ids", "attention_mask")}))
            rows.append((model.logit_scale.exp() * (text @ image.T))[0].tolist())
        scores[name] = rows
    return scores


def unit(features: object) -> torch.Tensor:
    """Features of length 1, which transformers 5 returns within an output."""
    found = features if isinstance(features, torch.Tensor) else features.pooler_output
    return found / torch.norm(found, dim=-1, keepdim=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    mend_torchvision()
    out, sys.stdout = sys.stdout, sys.stderr
    json.dump(main(Path(sys.argv[1])), out)

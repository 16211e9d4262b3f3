"""Scores of the package hpsv2 for a folder of weights, images and prompts; run by its own Python.

    python reference_hpsv2.py FOLDER > scores.json

Only the sizes of its ViT-H/14 are replaced, by those of ``open_clip.json``; its wheel lacks the vocabulary (HPSv2#30).
"""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
from layouts import mend_torchvision
from PIL import Image

_VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"


def package_folder(name: str) -> Path:
    """The folder of a package that need not be importable."""
    spec = importlib.util.find_spec(name)
    return Path(next(iter(spec.submodule_search_locations)))


def main(folder: Path) -> list[list[float]]:
    """Scores of :func:`hpsv2.img_score.score`, a list of images for each prompt."""
    vocabulary = package_folder("hpsv2") / "src" / "open_clip" / _VOCABULARY
    if not vocabulary.is_file():
        shutil.copyfile(package_folder("open_clip") / _VOCABULARY, vocabulary)
    from hpsv2 import img_score
    from hpsv2.src.open_clip import create_model_and_transforms, factory

    factory._MODEL_CONFIGS["ViT-H-14"] = json.loads((folder / "open_clip.json").read_text())
    model, _, preprocess = create_model_and_transforms(
        "ViT-H-14", None, precision="fp32", device="cpu", light_augmentation=True, aug_cfg={}, output_dict=True
    )
    img_score.model_dict.update(model=model, preprocess_val=preprocess)
    img_score.device = "cpu"
    images = [Image.fromarray(image) for image in np.load(folder / "images.npy")]
    prompts = json.loads((folder / "prompts.json").read_text())
    checkpoint = str(folder / "HPS_v2.1_compressed.pt")
    return [[float(each) for each in img_score.score(images, prompt, checkpoint)] for prompt in prompts]


if __name__ == "__main__":
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    mend_torchvision()
    out, sys.stdout = sys.stdout, sys.stderr
    json.dump(main(Path(sys.argv[1])), out)

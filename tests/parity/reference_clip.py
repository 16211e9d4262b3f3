"""Scores of OpenAI's clip and of pyiqa's clipiqa for a folder of weights and images; run by their own Python.

python reference_clip.py FOLDER > scores.json
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from layouts import PAIRS, PROMPTS, mend_torchvision
from PIL import Image
from torch import nn


class Archive(nn.Module):
    """A tree of parameters: OpenAI's loader reads TorchScript archives and takes the state dict out of them."""

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        below: dict[str, dict[str, torch.Tensor]] = {}
        for name, value in weights.items():
            first, _, rest = name.partition(".")
            if rest:
                below.setdefault(first, {})[rest] = value
            else:
                self.register_buffer(name, value)
        for name, part in below.items():
            self.add_module(name, Archive(part))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Nothing: only the tensors are wanted."""
        return x


def archived(folder: Path, name: str) -> str:
    """Write ``name.pt`` as a TorchScript archive; its path."""
    path = folder / f"{name}-script.pt"
    torch.jit.script(Archive(torch.load(folder / f"{name}.pt", weights_only=True))).save(str(path))
    return str(path)


@torch.no_grad()
def clip_scores(folder: Path) -> list[list[float]]:
    """100 · cosine of OpenAI's ViT, a list of images for each prompt."""
    import clip

    model, preprocess = clip.load(archived(folder, "vit"), device="cpu")
    seen = torch.stack([preprocess(Image.fromarray(image)) for image in np.load(folder / "images.npy")])
    images = nn.functional.normalize(model.encode_image(seen))
    texts = nn.functional.normalize(model.encode_text(clip.tokenize(list(PROMPTS), truncate=True)))
    return (100 * texts @ images.T).tolist()


@torch.no_grad()
def iqa_scores(folder: Path) -> dict[str, list[list[float]]]:
    """Shares in percent of pyiqa's clipiqa, and its logits' margins, a list of images for each pair."""
    import clip
    import pyiqa

    metric = pyiqa.create_metric("clipiqa", device="cpu", backbone=archived(folder, "resnet"))
    model = metric.net.clip_model[0]
    pixels = torch.from_numpy(np.load(folder / "images.npy")).permute(0, 3, 1, 2).float() / 255
    shares, margins = [], []
    for pair in PAIRS:
        metric.net.prompt_pairs = clip.tokenize(list(pair))
        shares.append((100 * metric(pixels)[:, 0]).tolist())
        normalised = (pixels - metric.net.default_mean) / metric.net.default_std
        logits = model(normalised, metric.net.prompt_pairs, pos_embedding=False)[0] / model.logit_scale.exp()
        margins.append((100 * (logits[:, 0] - logits[:, 1])).tolist())
    return {"shares": shares, "margins": margins}


if __name__ == "__main__":
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    mend_torchvision()
    out, sys.stdout = sys.stdout, sys.stderr
    where = Path(sys.argv[1])
    json.dump({"clip": clip_scores(where), **iqa_scores(where)}, out)

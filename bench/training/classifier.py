"""A small classifier of toybox images, trained on ground-truth renders only: the judge of the prior's samples.

python -m bench.training.classifier
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.progress import track
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.training.dataset import ToyImages, toy_images
from bench.training.loop import use_cpu
from methods.weights import write_tensors
from prompts.toybox import COLOURS, DEGRADATIONS, KINDS, PATTERNS, VIEWS, ToyObject, all_objects

#: The attributes that are classified, and the number of classes of each.
ATTRIBUTES = {"kind": len(KINDS), "colour": len(COLOURS), "pattern": len(PATTERNS), "view": len(VIEWS)}


@dataclass(frozen=True)
class Options:
    """Settings of the classifier's training."""

    images: Path = Path(".cache/toybox-images")
    """Folder of the training images."""
    out: Path = Path(".cache/classifier.safetensors")
    """The file to write."""
    steps: int = 1000
    """Optimiser steps."""
    batch: int = 64
    """Images a step."""
    learning_rate: float = 2e-3
    """Highest learning rate of AdamW, in one cycle."""
    seed: int = 0
    """Seed of the initialisation and the batches."""
    threads: int = 2
    """CPU threads."""


class Classifier(nn.Module):
    """Logits of each attribute from images ``(b 3 64 64)`` in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 24, 48, 96, 128)
        blocks = [
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(8, b), nn.SiLU())
            for a, b in pairwise(widths)
        ]
        self.body = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(128 * 16, 256), nn.SiLU())
        self.heads = nn.ModuleDict({name: nn.Linear(256, count) for name, count in ATTRIBUTES.items()})

    def forward(self, rgb: Tensor) -> dict[str, Tensor]:
        features = self.body(2 * rgb - 1)
        return {name: head(features) for name, head in self.heads.items()}


def classes(toy: ToyObject) -> dict[str, int]:
    """The class numbers of an object's attributes (its view aside)."""
    return {
        "kind": list(KINDS).index(toy.kind),
        "colour": list(COLOURS).index(toy.colour),
        "pattern": PATTERNS.index(toy.pattern),
    }


def train(options: Options) -> Classifier:
    """Train a classifier on every combination of attributes and write it."""
    use_cpu(options.threads)
    images = toy_images(options.images)
    labels = {
        name: np.array([classes(toy)[name] for toy in all_objects()])[images.toy]
        for name in ATTRIBUTES
        if name != "view"
    }
    labels["view"] = np.asarray(images.view)
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(options.seed)  # nn.Module initialises from the global generator
        network = Classifier()
    optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.learning_rate, total_steps=options.steps)
    for step in track(range(options.steps), description="classifier"):
        rgb, index = _batch(images, options, step)
        logits = network(rgb)
        loss = sum(
            (nn.functional.cross_entropy(logits[name], torch.from_numpy(labels[name][index])) for name in ATTRIBUTES),
            start=torch.zeros(()),
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(network.state_dict(), options.out)
    return network.eval()


def load(path: Path) -> Classifier:
    """The classifier in a file, trained first if there is none."""
    if not path.exists():
        return train(Options(out=path))
    network = Classifier()
    network.load_state_dict(load_file(path))
    return network.eval()


def _batch(images: ToyImages, options: Options, step: int) -> tuple[Tensor, np.ndarray]:
    rng = np.random.default_rng([options.seed, step])
    generator = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
    index = np.sort(rng.choice(len(images), options.batch, replace=False))
    rgb = images.over(index, 0.5 + 0.5 * torch.rand(options.batch, generator=generator))
    # Mild blur and noise, so that it judges what is shown rather than how crisply.
    rgb = DEGRADATIONS["blur"](rgb, float(rng.uniform(0, 0.3)), generator)
    return DEGRADATIONS["noise"](rgb, float(rng.uniform(0, 0.3)), generator), index


if __name__ == "__main__":
    train(tyro.cli(Options))

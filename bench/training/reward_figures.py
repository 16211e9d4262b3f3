"""Preferences of the toybox's reward model among images it never saw: figures and a sample sheet for its card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bench.training.claims import OBJECTS, wrong_caption
from bench.training.clip_figures import sheet, to_uint8
from bench.training.dataset import ToyImages
from bench.training.wear import DAMAGE
from metrics.models.reward import RewardModel
from prompts.toybox import DEGRADATIONS, VIEWS

_PAIRS = 200  # of each kind of preference
_SEED = 1  # of the images and the damage in the figures
_SHEET_SEED = 2  # of those on the sample sheet


def held_out_figures(folder: Path, images: ToyImages) -> dict[str, float]:
    """Shares of pairs in [0, 1] whose better side gets the higher reward, on combinations left out of training.

    ``damage_…``: the clean image against one damaged at a strength in [0.4, 1].  ``caption_…``: the right
    caption against one wrong in a single attribute, for a clean image.  ``pairs``: their mean, each half.
    """
    model = RewardModel(folder)
    rng, generator = np.random.default_rng(_SEED), torch.Generator().manual_seed(_SEED)
    index = rng.choice(np.flatnonzero(images.held_out), _PAIRS)
    damage: dict[str, list[bool]] = {name: [] for name in DAMAGE}
    captions: list[bool] = []
    for row, image in enumerate(index):
        clean = images.over(np.array([image]), torch.ones(1))
        view = VIEWS[images.view[image]] if row % 3 == 0 else None
        right, wrong = wrong_caption(OBJECTS[images.toy[image]], view, [_SEED, row])
        damaged = [DEGRADATIONS[name](clean, float(rng.uniform(0.4, 1)), generator) for name in DAMAGE]
        best, *worse = model.rewards(to_uint8(torch.cat([clean, *damaged])), right)
        for name, reward in zip(DAMAGE, worse, strict=True):
            damage[name].append(bool(best > reward))
        captions.append(bool(best > model.rewards(to_uint8(clean), wrong)[0]))
    shares = {f"damage_{name}": float(np.mean(better)) for name, better in damage.items()}
    share_of_captions = float(np.mean(captions))
    return {
        "pairs": (float(np.mean(list(shares.values()))) + share_of_captions) / 2,
        **shares,
        "caption_wrong_in_one_attribute": share_of_captions,
    }


def sample_sheet(folder: Path, images: ToyImages) -> Image.Image:
    """Six held-out images, clean above and damaged below, with their rewards for a right caption."""
    model = RewardModel(folder)
    rng, generator = np.random.default_rng(_SHEET_SEED), torch.Generator().manual_seed(_SHEET_SEED)
    index = rng.choice(np.flatnonzero(images.held_out), 6)
    clean = images.over(index, torch.ones(6))
    names = [DAMAGE[row % len(DAMAGE)] for row in range(6)]
    damaged = torch.cat([DEGRADATIONS[name](rgb[None], 0.6, generator) for name, rgb in zip(names, clean, strict=True)])
    titles = []
    for rgb, words in ((clean, [""] * 6), (damaged, names)):
        for image, number, word in zip(rgb, images.toy[index], words, strict=True):
            right, wrong = wrong_caption(OBJECTS[number], None, [_SHEET_SEED, int(number)])
            rewards = [model.rewards(to_uint8(image[None]), text)[0] for text in (right, wrong)]
            lines = [f"{text}: {reward:.1f}" for text, reward in zip((right, wrong), rewards, strict=True)]
            titles.append("\n".join([word, *lines]).replace("a photo of ", ""))
    return sheet(torch.cat([clean, damaged]), titles)

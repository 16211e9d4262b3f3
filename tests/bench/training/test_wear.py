"""Wear is light and seeded; damage is what it says."""

from __future__ import annotations

import numpy as np
import torch

from bench.training.dataset import ToyImages
from bench.training.wear import DAMAGE, Worn, damage, random_backgrounds, wear


def _clean(images: ToyImages) -> tuple[torch.Tensor, torch.Tensor]:
    ground = torch.full((len(images),), 0.8)
    return images.over(np.arange(len(images)), ground), ground


def test_wear_stays_near_the_image_and_in_range(images: ToyImages) -> None:
    clean, ground = _clean(images)
    worn = wear(clean, ground, torch.Generator().manual_seed(0))
    assert worn.rgb.shape == clean.shape
    assert 0 <= worn.rgb.min() <= worn.rgb.max() <= 1
    change = (worn.rgb - clean).square().mean(dim=(1, 2, 3)).sqrt()
    assert change.median() < 0.2
    assert change.max() > 0.01
    assert (worn.strengths <= 0.2).all()
    assert (worn.strengths[:, [DAMAGE.index(name) for name in DAMAGE if name != "blur"]] == 0).all()


def test_same_generator_same_wear(images: ToyImages) -> None:
    clean, ground = _clean(images)
    first, second = (wear(clean, ground, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first.rgb, second.rgb)


def test_damage_is_strong_where_it_says_so(images: ToyImages) -> None:
    clean, _ = _clean(images)
    undamaged = Worn(clean, torch.zeros(len(clean), len(DAMAGE)))
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    damaged = damage(undamaged, rng, generator, least=0.5, share=0.6)
    hurt = damaged.strengths.amax(dim=1) > 0
    assert 0 < hurt.sum() < len(clean)
    assert torch.equal(damaged.rgb[~hurt], clean[~hurt])
    assert (damaged.strengths[hurt].amax(dim=1) >= 0.5).all()
    assert ((damaged.rgb[hurt] - clean[hurt]).abs().amax(dim=(1, 2, 3)) > 0.05).all()
    assert torch.equal(undamaged.strengths, torch.zeros_like(undamaged.strengths))


def test_backgrounds_are_grey_and_often_white() -> None:
    levels = random_backgrounds(1000, torch.Generator().manual_seed(0))
    assert 0.5 <= levels.min() < 0.6
    assert 0.3 < (levels == 1).float().mean() < 0.5

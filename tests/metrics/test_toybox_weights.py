"""The scorers that come with the package, on images whose order is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.cameras import evaluation_ring
from metrics import Views, metrics
from prompts.toybox import DEGRADATIONS, ToyObject, render_object

TOY, PROMPT = ToyObject("duck", "blue", "plain"), "a blue duck"
OTHERS = [PROMPT, "a red striped car", "a yellow robot", "a pink house", "a green mug", "a purple snowman"]


def _views(rgb: torch.Tensor) -> Views:
    images = (rgb.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    return Views(images, np.full(images.shape[:3], 255, dtype=np.uint8), np.arange(len(images)) * 90.0)


@pytest.fixture(scope="module")
def clean() -> torch.Tensor:
    """Four sides of a blue duck over white."""
    rays = evaluation_ring(4).rays(128)
    return torch.stack(
        [render_object(TOY, *pair).over(1.0) for pair in zip(rays.origins, rays.directions, strict=True)]
    )


def _spoilt(clean: torch.Tensor, name: str, strength: float) -> Views:
    return _views(DEGRADATIONS[name](clean, strength, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("sharpness_margin", "blur"),
        ("quality_margin", "blur"),
        ("quality_margin", "noise"),
        pytest.param(
            "real_margin",
            "warp",
            marks=pytest.mark.xfail(reason="this CLIP's 'real' pair is right of 80 % of held-out images only"),
        ),
    ],
)
def test_margin_falls_as_damage_grows(clean: torch.Tensor, column: str, name: str) -> None:
    metric = metrics["clip_iqa"]("toybox")
    means = [metric.score(_spoilt(clean, name, strength), "", [])[column].mean() for strength in (0.0, 0.4, 0.8)]
    assert means[0] > means[1] > means[2]


def test_own_prompt_is_found_from_every_side(clean: torch.Tensor) -> None:
    views = _views(clean)
    np.testing.assert_array_equal(
        metrics["r_precision"]("toybox").score(views, PROMPT, OTHERS)["clip_top1"], np.ones(4)
    )
    scorer = metrics["clip_score"]("toybox")
    own, *others = (scorer.score(views, prompt, OTHERS)["clip_score"] for prompt in OTHERS)
    assert all((own > other).all() for other in others)


def test_reward_falls_with_damage_and_with_a_wrong_prompt(clean: torch.Tensor) -> None:
    scorer = metrics["image_reward"]("toybox")
    best = scorer.score(_views(clean), PROMPT, [])["image_reward"].mean()
    for name in DEGRADATIONS:
        assert best > scorer.score(_spoilt(clean, name, 0.7), PROMPT, [])["image_reward"].mean()
    for wrong in ("a red duck", "a blue striped duck", "a blue mug"):
        assert best > scorer.score(_views(clean), wrong, [])["image_reward"].mean()

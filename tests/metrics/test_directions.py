"""The direction of every column: the truth's own views are better than views that a person finds worse."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from methods.cameras import evaluation_ring
from methods.pixels import to_bytes
from metrics import metrics
from metrics.card import Column
from metrics.views import TruthViews, Views
from prompts import load_prompt_set
from prompts.toybox import ToyObject, develop, trace, without_face

RING, SIDE = 12, 64
COLUMNS = [
    (name, column)
    for name in metrics.names()
    if metrics[name].__module__.startswith("metrics.") and name != "vqa_score"  # which has no model in the toybox
    for column in metrics[name].columns
    if column.group != "spectrum"
]


@pytest.fixture(scope="module")
def views() -> Views:
    """The truth's views of a duck."""
    toy = ToyObject("duck", "blue", "plain")
    rays = evaluation_ring(RING).rays(2 * SIDE)

    def images(parts: Any) -> tuple[np.ndarray, np.ndarray]:
        # one image below the other
        shown = develop(trace(parts, rays.origins.flatten(0, 1), rays.directions.flatten(0, 1)), toy, 2)
        rgb, opacity = to_bytes(shown.over(1.0).permute(1, 2, 0)), to_bytes(shown.opacity[0])
        return rgb.reshape(RING, SIDE, SIDE, 3), opacity.reshape(RING, SIDE, SIDE)

    (rgb, opacity), azimuth_deg = images("duck"), evaluation_ring(RING).azimuth_deg.numpy()
    truth = TruthViews("blue duck", rgb, opacity, azimuth_deg, images(without_face("duck"))[0])
    moved = np.roll(rgb, 2, axis=2)  # images of ducks that are no view of this one
    return Views(rgb, opacity, azimuth_deg, (truth,), samples=moved, others=(np.roll(rgb, 1, axis=0),))


def _with(views: Views, change: Callable[[np.ndarray], np.ndarray]) -> Views:
    return dataclasses.replace(views, rgb=change(views.rgb.astype(float)).clip(0, 255).round().astype(np.uint8))


def blurred_noise(views: Views) -> Views:
    """Blurred, greyer, darker, and with noise: worse for a person in any respect but the object's outline."""
    draws = np.random.default_rng(0).normal(0, 40, views.rgb.shape)
    grey = _with(views, lambda rgb: 0.3 * rgb + 0.7 * rgb.mean(axis=-1, keepdims=True) - 40 + draws)
    return _with(grey, lambda rgb: gaussian_filter(rgb, (0, 1.5, 1.5, 0)))


def blurred(views: Views) -> Views:
    """Out of focus."""
    return _with(views, lambda rgb: gaussian_filter(rgb, (0, 3, 3, 0)))


def faceless(views: Views) -> Views:
    """No face on any side."""
    return dataclasses.replace(views, rgb=views.truths[0].faceless)


def two_faced(views: Views) -> Views:
    """The front on both sides."""
    back = np.abs(views.azimuth_deg) > 90
    rgb = views.rgb.copy()
    rgb[back] = np.roll(views.rgb, RING // 2, axis=0)[back]
    return dataclasses.replace(views, rgb=rgb)


def smaller(views: Views) -> Views:
    """Half of the object."""
    half = views.opacity.copy()
    half[:, : SIDE // 2] = 0
    return dataclasses.replace(views, opacity=half)


def collapsed(views: Views) -> Views:
    """The same asset from every seed."""
    return dataclasses.replace(views, others=(views.rgb,))


WORSE: dict[str, Callable[[Views], Views]] = {
    "sharpness": blurred,
    "sharpness_margin": blurred,
    "front_faces": faceless,
    "clip_front": faceless,
    "extra_faces": two_faced,
    "clip_extra": two_faced,
    "diversity": collapsed,
    "iou": smaller,
    "iou_aligned": smaller,
}


def _distance(column: Column, values: np.ndarray) -> float:
    """The mean's distance from the best; less is better."""
    mean = float(np.nanmean(values)) * column.scale
    if column.target is not None:
        return abs(np.log(mean / column.target))
    return mean if column.direction == "lower" else -mean


@pytest.mark.parametrize(("metric", "column"), COLUMNS, ids=[column.name for _, column in COLUMNS])
def test_worse_views_have_a_worse_score(views: Views, metric: str, column: Column) -> None:
    scorer = metrics[metric]("toybox")
    texts = [prompt.text for prompt in load_prompt_set("toybox").prompts]
    prompt = next(text for text in texts if "duck" in text)
    worse = WORSE.get(column.name, blurred_noise)(views)
    clean, degraded = (scorer.score(each, prompt, texts)[column.name] for each in (views, worse))
    assert _distance(column, clean) < _distance(column, degraded)

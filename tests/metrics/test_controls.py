"""Control rows: what each picture is, and that pictures are reproducible."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from metrics.clip_score import ClipScore
from metrics.controls import WITHOUT_CAMERAS, ControlSources, controls
from metrics.ground_truth import GroundTruth
from metrics.suites import Suite
from metrics.views import TruthViews, Views

PROMPTS = ["a car", "a duck", "a mug", "a robot"]


@pytest.fixture
def sources(make_views: Callable[..., Views]) -> ControlSources:
    views = make_views(4)
    renders = {
        prompt: Views(views.rgb // (1 + at), views.opacity, views.azimuth_deg) for at, prompt in enumerate(PROMPTS)
    }
    return ControlSources(
        views.azimuth_deg,
        32,
        background=0.5,
        renders=renders,
        sample=lambda prompt, count: np.full((count, 48, 64, 3), len(prompt), dtype=np.uint8),
        truths=(TruthViews("it", views.rgb, views.opacity),),
    )


def test_every_control_gives_views_that_every_metric_takes(suite: Suite, sources: ControlSources) -> None:
    assert controls.names() == ["blank", "noise", "other_prompt", "prior_2d"]
    for name in controls.names():
        views = controls[name]("a duck", sources)
        assert views.rgb.shape == (4, 32, 32, 3)
        np.testing.assert_array_equal(views.azimuth_deg, sources.azimuth_deg)
        for metric in (ClipScore(suite), GroundTruth(suite)):
            scores = metric.score(views, "a duck", PROMPTS)
            assert all(values.shape == (4,) for values in scores.values())
            assert bool(scores) == (isinstance(metric, ClipScore) or name not in WITHOUT_CAMERAS)


def test_blank_is_the_background_and_nothing_else(sources: ControlSources) -> None:
    views = controls["blank"]("a duck", sources)
    assert set(np.unique(views.rgb)) == {128}
    assert not views.opacity.any()


def test_noise_is_uniform_and_of_its_prompt_and_seed(sources: ControlSources) -> None:
    first, again = (controls["noise"]("a duck", sources).rgb for _ in range(2))
    np.testing.assert_array_equal(first, again)
    for other in (
        controls["noise"]("a car", sources).rgb,
        controls["noise"]("a duck", ControlSources(sources.azimuth_deg, 32, seed=1)).rgb,
        np.roll(first, 1, axis=0),
    ):
        assert (first == other).mean() == pytest.approx(1 / 256, abs=0.003)  # 12 288 numbers: 5 sigma
    assert first.mean() == pytest.approx(127.5, abs=3.5)
    assert np.bincount(first.ravel(), minlength=256).min() > 0


def test_other_prompt_is_never_the_own_one_and_each_is_used_once(sources: ControlSources) -> None:
    used = []
    for prompt in PROMPTS:
        rgb = controls["other_prompt"](prompt, sources).rgb
        used += [other for other, views in sources.renders.items() if np.array_equal(views.rgb, rgb)]
        assert used[-1] != prompt
    assert sorted(used) == sorted(PROMPTS)


def test_other_prompt_keeps_the_truth_of_the_prompt_that_is_scored(sources: ControlSources) -> None:
    assert controls["other_prompt"]("a duck", sources).truths == tuple(sources.truths)


def test_prior_sample_is_brought_to_the_size_of_the_renders(sources: ControlSources) -> None:
    assert set(np.unique(controls["prior_2d"]("a duck", sources).rgb)) == {len("a duck")}


@pytest.mark.parametrize(
    ("sample", "error", "message"),
    [
        (None, ValueError, "needs a sampler"),
        (lambda prompt, count: np.zeros((count, 8, 8, 3), dtype=np.float32), TypeError, "float32, right is uint8"),
        (lambda prompt, count: np.zeros((1, 8, 8, 3), dtype=np.uint8), ValueError, r"right is \(4, h, w, 3\)"),
    ],
)
def test_prior_sample_says_what_is_wrong(sample: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        controls["prior_2d"]("a duck", ControlSources(np.arange(4.0), 32, sample=sample))


def test_other_prompt_needs_another_prompt(sources: ControlSources) -> None:
    alone = ControlSources(sources.azimuth_deg, 32, renders={"a duck": sources.renders["a duck"]})
    for prompt in ("a duck", "a horse"):
        with pytest.raises(ValueError, match=f"needs the render of '{prompt}' and of one more prompt, has 1"):
            controls["other_prompt"](prompt, alone)
    with pytest.raises(ValueError, match=r"background = 1\.5"):
        ControlSources(sources.azimuth_deg, 32, background=1.5)

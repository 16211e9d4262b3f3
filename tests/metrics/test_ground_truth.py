"""PSNR, SSIM and IoU against scikit-image, as they are and after the best turn, on scenes whose answer is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from metrics.alignment import MAX_PSNR_DB, best_turn
from metrics.ground_truth import GroundTruth, psnr_db, silhouette_iou
from metrics.suites import Suite
from metrics.views import TruthViews, Views

RING = 12


@pytest.fixture
def truth() -> TruthViews:
    """Twelve views that all differ: a ramp that turns with the camera."""
    angle = np.linspace(0, 2 * np.pi, RING, endpoint=False)[:, None, None]
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    ramp = 0.5 + 0.35 * (np.cos(angle) * x + np.sin(angle) * y)
    rgb = np.stack([ramp, 1 - ramp, 0.5 + 0 * ramp], axis=-1)
    disc = np.broadcast_to(x**2 + y**2 < 0.5, ramp.shape)
    return TruthViews("turning", (255 * rgb).astype(np.uint8), (255 * disc).astype(np.uint8))


def _ring(rgb: np.ndarray, opacity: np.ndarray, *truths: TruthViews) -> Views:
    azimuth = np.arange(len(rgb)) * 360.0 / len(rgb)
    return Views(rgb, opacity, np.where(azimuth > 180, azimuth - 360, azimuth), truths)


def test_truth_itself_is_perfect(suite: Suite, truth: TruthViews) -> None:
    found = GroundTruth(suite).score(_ring(truth.rgb, truth.opacity, truth), "", [])
    np.testing.assert_array_equal(found["psnr"], np.full(RING, MAX_PSNR_DB))
    np.testing.assert_allclose(found["ssim"], 1)
    np.testing.assert_array_equal(found["iou"], np.ones(RING))
    for column in ("psnr", "ssim", "iou"):
        np.testing.assert_array_equal(found[column], found[f"{column}_aligned"])


@pytest.mark.parametrize("turn", [1, 5, 6, 9])
def test_a_turned_object_is_right_once_it_is_aligned(suite: Suite, truth: TruthViews, turn: int) -> None:
    found = GroundTruth(suite).score(
        _ring(np.roll(truth.rgb, turn, axis=0), np.roll(truth.opacity, turn, axis=0), truth), "", []
    )
    np.testing.assert_array_equal(found["psnr_aligned"], np.full(RING, MAX_PSNR_DB))
    np.testing.assert_allclose(found["ssim_aligned"], 1)
    np.testing.assert_array_equal(found["iou_aligned"], np.ones(RING))
    assert found["psnr"].max() < 40


@pytest.mark.parametrize("noise", [0, 3, 10])
def test_one_turn_holds_for_all_views(suite: Suite, truth: TruthViews, noise: int) -> None:
    """The views are those of the truth, but for one that a turn of its own would fit better."""
    rng = np.random.default_rng(1)
    rgb = np.clip(np.roll(truth.rgb, 3, axis=0) + rng.normal(0, noise, truth.rgb.shape), 0, 255).astype(np.uint8)
    rgb[7] = truth.rgb[7]
    views = _ring(rgb, truth.opacity, truth)
    match = best_turn(views)
    assert match.truth.azimuth_deg is not None
    assert match.truth.azimuth_deg[0] == -90
    np.testing.assert_array_equal(match.truth.rgb, np.roll(truth.rgb, 3, axis=0))
    found = GroundTruth(suite).score(views, "", [])
    assert found["psnr_aligned"][7] < found["psnr"][7]
    assert found["psnr_aligned"].mean() > found["psnr"].mean()


def test_aligned_values_are_those_of_the_brute_force(suite: Suite, truth: TruthViews) -> None:
    other = dataclasses.replace(truth, name="other", rgb=255 - truth.rgb)
    rng = np.random.default_rng(2)
    rgb = np.clip(np.roll(other.rgb, 4, axis=0) + rng.normal(0, 60, truth.rgb.shape), 0, 255).astype(np.uint8)
    found = GroundTruth(suite).score(_ring(rgb, truth.opacity, truth, other), "", [])
    every = [
        psnr_db(rgb, np.roll(each.rgb, turn, axis=0)) for each in (truth, other) for turn in range(RING)
    ]  # fmt: skip
    np.testing.assert_array_equal(found["psnr_aligned"], max(every, key=np.mean))


def test_some_views_are_aligned_to_the_whole_ring_of_the_truth(truth: TruthViews) -> None:
    whole = _ring(np.roll(truth.rgb, 1, axis=0), truth.opacity, truth)
    some = slice(0, None, 4)
    ring = dataclasses.replace(truth, azimuth_deg=whole.azimuth_deg)
    match = best_turn(Views(whole.rgb[some], whole.opacity[some], whole.azimuth_deg[some], [ring]))
    assert match.truth.azimuth_deg is not None
    assert match.truth.azimuth_deg[0] == -30
    assert match.psnr_db == MAX_PSNR_DB


def test_views_that_are_not_a_ring_are_not_turned(truth: TruthViews) -> None:
    azimuth = np.array([0.0, 17.0, 140.0])
    views = Views(
        truth.rgb[[1, 2, 3]], truth.opacity[:3], azimuth, [TruthViews("it", truth.rgb[:3], truth.opacity[:3])]
    )
    np.testing.assert_array_equal(best_turn(views).truth.rgb, truth.rgb[:3])


def test_alignment_needs_a_truth(make_views: Callable[..., Views]) -> None:
    with pytest.raises(ValueError, match=r"views\.truths: is empty, must have the objects that fit the prompt"):
        best_turn(make_views(3))


@pytest.mark.parametrize("noise", [3, 40])
def test_equals_scikit_image(suite: Suite, truth: TruthViews, noise: int) -> None:
    rng = np.random.default_rng(0)
    rgb = np.clip(truth.rgb + rng.normal(0, noise, truth.rgb.shape), 0, 255).astype(np.uint8)
    found = GroundTruth(suite).score(_ring(rgb, truth.opacity, truth), "", [])
    for view in range(RING):
        psnr = peak_signal_noise_ratio(truth.rgb[view], rgb[view], data_range=255)
        ssim = structural_similarity(truth.rgb[view], rgb[view], channel_axis=-1, data_range=255)
        assert found["psnr"][view] == pytest.approx(psnr)
        assert found["ssim"][view] == pytest.approx(ssim)


def test_best_match_is_taken_over_the_whole_ring(suite: Suite, truth: TruthViews) -> None:
    """Another object that is perfect in one view and wrong in the rest loses to one that is nearly right in all."""
    other = dataclasses.replace(truth, name="other", rgb=255 - truth.rgb)
    rgb = np.clip(truth.rgb.astype(int) + 4, 0, 255).astype(np.uint8)
    rgb[0] = other.rgb[0]
    metric = GroundTruth(suite)
    both = metric.score(_ring(rgb, truth.opacity, other, truth), "", [])
    alone = metric.score(_ring(rgb, truth.opacity, truth), "", [])
    for column in ("psnr", "ssim", "iou"):  # once aligned, the other object is this one turned by 180°
        np.testing.assert_array_equal(both[column], alone[column])


def test_without_truth_there_is_nothing_to_say(suite: Suite, make_views: Callable[..., Views]) -> None:
    assert GroundTruth(suite).score(make_views(3), "", []) == {}


def test_opacity_counts_above_one_half() -> None:
    seen = np.array([[[127, 128], [255, 0]]], dtype=np.uint8)
    true = np.array([[[0, 255], [0, 0]]], dtype=np.uint8)
    np.testing.assert_array_equal(silhouette_iou(seen, true), [0.5])


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1))
def test_iou_is_symmetric_and_within_bounds(seed: int, first: float, second: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = (((rng.random((3, 6, 6)) < share) * 255).astype(np.uint8) for share in (first, second))
    iou = silhouette_iou(a, b)
    np.testing.assert_array_equal(iou, silhouette_iou(b, a))
    assert ((iou >= 0) & (iou <= 1)).all()
    np.testing.assert_array_equal(silhouette_iou(a, a), np.ones(3))


def test_some_views_score_as_they_do_among_all_of_the_ring(suite: Suite, truth: TruthViews) -> None:
    rng = np.random.default_rng(5)
    noisy = np.clip(truth.rgb + rng.normal(0, 40, truth.rgb.shape), 0, 255).astype(np.uint8)
    whole = _ring(np.roll(noisy, RING // 2, axis=0), np.roll(truth.opacity, 1, axis=0), truth)
    some = slice(1, None, 3)
    ring = dataclasses.replace(truth, azimuth_deg=whole.azimuth_deg)
    few = Views(whole.rgb[some], whole.opacity[some], whole.azimuth_deg[some], [ring])
    all_scores, few_scores = (GroundTruth(suite).score(views, "", []) for views in (whole, few))
    for column in ("psnr", "ssim", "iou"):
        np.testing.assert_array_equal(few_scores[column], all_scores[column][some])


def test_without_opacity_there_is_no_silhouette(suite: Suite, truth: TruthViews) -> None:
    views = _ring(truth.rgb, truth.opacity, truth)
    known = GroundTruth(suite).score(views, "", [])
    found = GroundTruth(suite).score(dataclasses.replace(views, opacity=None), "", [])
    assert found.keys() == known.keys()
    for column, values in found.items():
        np.testing.assert_array_equal(values, np.full(RING, np.nan) if "iou" in column else known[column])

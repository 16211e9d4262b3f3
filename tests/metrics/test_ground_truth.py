"""PSNR, SSIM, IoU and Janus against scikit-image, and on scenes whose answer is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from metrics.ground_truth import MAX_PSNR_DB, GroundTruth, silhouette_iou
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
    back = np.array([4, 5, 6, 7, 8])  # beyond 90° of azimuth
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(found["janus"])), back)
    assert found["janus"][back].sum() == 0


def test_front_on_the_back_is_janus(suite: Suite, truth: TruthViews) -> None:
    rgb = truth.rgb.copy()
    rgb[6] = truth.rgb[0]  # exactly behind: the front again
    rgb[7] = truth.rgb[11]  # at −150°: the view of −30°
    rgb[8] = truth.rgb[9]  # at −120°: the side, which is no front
    found = GroundTruth(suite).score(_ring(rgb, truth.opacity, truth), "", [])["janus"]
    np.testing.assert_array_equal(found[4:9], [0, 0, 1, 1, 0])


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
    for column in metric.card.column_names:
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
    for column, values in few_scores.items():
        np.testing.assert_array_equal(values, all_scores[column][some])
    assert np.nanmax(few_scores["janus"]) == 1  # seen back to front

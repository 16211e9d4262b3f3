"""Detail and right detail on images whose answer is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.signal import coherence

from methods.cameras import evaluation_ring
from methods.pixels import to_bytes
from metrics.detail import FINE, OCTAVES, Detail, explained_share
from metrics.spectrum import octaves, power, spectrum
from metrics.suites import Suite
from metrics.views import TruthViews, Views
from prompts.toybox import all_objects, render_object

COUNT = 4


def _ring(side: int) -> TruthViews:
    """A dotted object of the toybox at ``side`` pixels."""
    toy = next(toy for toy in all_objects() if "dotted" in toy.name)
    rays = evaluation_ring(COUNT).rays(2 * side)
    shown = [render_object(toy, o, d, supersample=2) for o, d in zip(rays.origins, rays.directions, strict=True)]
    rgb = np.stack([to_bytes(each.over(1.0).permute(1, 2, 0)) for each in shown])
    return TruthViews(toy.name, rgb, np.stack([to_bytes(each.opacity[0]) for each in shown]))


@pytest.fixture(scope="module")
def truth() -> TruthViews:
    return _ring(64)


@pytest.fixture
def detail(suite: Suite) -> Detail:
    return Detail(suite.model_copy(update={"resolution": 64}))


def _views(rgb: np.ndarray, *truths: TruthViews) -> Views:
    opacity = np.full(rgb.shape[:3], 255, np.uint8)
    return Views(rgb, opacity, np.arange(len(rgb)) * 90.0, truths)


def _blurred(rgb: np.ndarray, sigma: float) -> np.ndarray:
    return gaussian_filter(rgb.astype(float), (0, sigma, sigma, 0)).round().astype(np.uint8)


def _noise(rgb: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, rgb.shape, dtype=np.uint8)


def _means(detail: Detail, views: Views) -> dict[str, float]:
    return {name: 100 * float(np.mean(values)) for name, values in detail.score(views, "", []).items()}


def test_the_truth_has_100_percent_of_everything(detail: Detail, truth: TruthViews) -> None:
    found = _means(detail, _views(truth.rgb, truth))
    assert set(found) == set(detail.card.column_names)
    np.testing.assert_allclose(list(found.values()), 100)


def test_blur_lowers_detail_step_by_step_and_hardly_what_is_right(detail: Detail, truth: TruthViews) -> None:
    found = [_means(detail, _views(_blurred(truth.rgb, sigma), truth)) for sigma in (0, 0.3, 0.6, 1, 2, 4)]
    of = [each["detail"] for each in found]
    assert all(after < before for before, after in pairwise(of))
    assert of[-1] < 3
    assert min(each["right_detail"] for each in found[:4]) > 80


@settings(max_examples=15)
@given(sigma=st.floats(0.3, 1), more=st.floats(0.2, 0.5))
def test_more_blur_is_less_detail_in_every_octave(sigma: float, more: float) -> None:
    image = _noise(np.empty((64, 64, 3)))
    smooth = [np.stack([_blurred(image[None], s)[0]]) for s in (sigma, sigma + more)]
    bands = octaves((64, 64), 32, OCTAVES)[-FINE:]
    powers = [[power(spectrum(each[0]), band) for band in bands] for each in smooth]
    assert all(after <= before for before, after in zip(*powers, strict=True))


def test_noise_has_far_too_much_detail_of_which_none_is_right(detail: Detail, truth: TruthViews) -> None:
    found = _means(detail, _views(_noise(truth.rgb), truth))
    assert found["detail"] > 150
    assert found["power_2"] > 1.5 * found["detail"]
    assert found["right_detail"] < 3


def test_invented_texture_is_detail_but_not_right(detail: Detail, truth: TruthViews) -> None:
    """The detail of the truth upside down on the blurred truth."""
    low = _blurred(truth.rgb, 2).astype(float)
    fine = (truth.rgb - low)[:, ::-1, ::-1]
    found = _means(detail, _views(np.clip(low + fine, 0, 255).round().astype(np.uint8), truth))
    assert 60 < found["detail"] < 140
    assert found["right_detail"] < 30


@pytest.mark.parametrize("shift", [(0, 1), (-2, 0), (2, 2)])
def test_a_small_displacement_is_still_right(detail: Detail, truth: TruthViews, shift: tuple[int, int]) -> None:
    found = _means(detail, _views(np.roll(truth.rgb, shift, axis=(1, 2)), truth))
    assert found["right_detail"] > 90
    assert abs(found["detail"] - 100) < 10


def test_a_large_displacement_is_wrong(detail: Detail, truth: TruthViews) -> None:
    assert _means(detail, _views(np.roll(truth.rgb, 9, axis=2), truth))["right_detail"] < 40


def test_inverted_contrast_is_wrong(detail: Detail, truth: TruthViews) -> None:
    found = _means(detail, _views(255 - truth.rgb, truth))
    np.testing.assert_allclose(found["detail"], 100)
    assert found["right_detail"] < 60  # what is right of it is by displacement: a dark dot is next to a bright one


def test_the_size_of_the_evaluation_hardly_matters(detail: Detail) -> None:
    """The same scene rendered at three sizes, its blur in proportion: within 10 % of the value."""
    found = []
    for side in (64, 128, 256):
        ring = _ring(side)
        found.append(_means(detail, _views(_blurred(ring.rgb, side / 64), ring)))
    for name in ("detail", "right_detail", "power_2", "power_4"):
        values = np.array([each[name] for each in found])
        np.testing.assert_allclose(values, values[0], rtol=0.1, err_msg=name)


@pytest.mark.parametrize("side", [128, 256])
def test_enlarged_images_have_the_detail_of_the_small_ones(detail: Detail, truth: TruthViews, side: int) -> None:
    def enlarged(rgb: np.ndarray) -> np.ndarray:
        return np.stack(
            [np.asarray(Image.fromarray(each).resize((side, side), Image.Resampling.BICUBIC)) for each in rgb]
        )

    # interpolation takes more from the finest frequencies of the sharp image, so the margin is larger
    blurred = _blurred(truth.rgb, 0.7)
    large = TruthViews("large", enlarged(truth.rgb), enlarged(truth.rgb)[..., 0])
    expected, found = _means(detail, _views(blurred, truth)), _means(detail, _views(enlarged(blurred), large))
    for name in ("detail", "right_detail"):
        np.testing.assert_allclose(found[name], expected[name], rtol=0.2)


def test_views_smaller_than_the_prior_s_images_end_at_their_own_nyquist(suite: Suite, truth: TruthViews) -> None:
    views = _views(_blurred(truth.rgb, 1), truth)
    small, large = (_means(Detail(suite.model_copy(update={"resolution": side})), views) for side in (64, 512))
    assert small == large


def test_the_mean_over_views_is_a_ratio_of_means(detail: Detail, truth: TruthViews) -> None:
    flat = truth.rgb.copy()
    flat[1:] = _blurred(flat[1:], 3)  # three views of the truth with hardly any detail
    uneven = TruthViews("uneven", flat, truth.opacity)
    found = _means(detail, _views(truth.rgb, uneven))["detail"]
    bands = octaves((64, 64), 32, OCTAVES)[-FINE:]
    own, theirs = ([sum(power(spectrum(each), band) for band in bands) for each in rgb] for rgb in (truth.rgb, flat))
    np.testing.assert_allclose(found, 100 * np.sum(own) / np.sum(theirs))


def test_a_blank_image_has_none_and_nothing_of_it_is_right(detail: Detail, truth: TruthViews) -> None:
    found = _means(detail, _views(np.full_like(truth.rgb, 255), truth))
    assert set(found.values()) == {0.0}


def test_a_reference_without_detail_gives_no_value(detail: Detail, truth: TruthViews) -> None:
    plain = TruthViews("plain", np.full_like(truth.rgb, 9), truth.opacity)
    found = detail.score(_views(truth.rgb, plain), "", [])
    assert all(np.isnan(values).all() for values in found.values())


def test_without_truth_the_prior_s_images_are_the_reference(detail: Detail, truth: TruthViews) -> None:
    views = _views(_blurred(truth.rgb, 1))
    found = _means(detail, dataclasses.replace(views, samples=truth.rgb[::-1]))
    known = _means(detail, _views(views.rgb, truth))
    assert "right_detail" not in found
    for name, value in found.items():
        np.testing.assert_allclose(value, known[name])  # the power of an image has no place


def test_the_truth_comes_before_the_prior_s_images(detail: Detail, truth: TruthViews) -> None:
    views = dataclasses.replace(_views(truth.rgb, truth), samples=_noise(truth.rgb))
    np.testing.assert_allclose(_means(detail, views)["detail"], 100)


def test_images_that_belong_to_no_camera_have_the_nearest_object_as_reference(
    detail: Detail, truth: TruthViews
) -> None:
    """Whichever views are nearest to the images, the power is that of all views of the object."""
    soft = TruthViews("soft", _blurred(truth.rgb, 2), truth.opacity)
    for shown, expected in ((truth, truth), (soft, soft), (TruthViews("", _blurred(soft.rgb, 1), soft.opacity), soft)):
        views = dataclasses.replace(_views(shown.rgb[::-1]), objects=[truth, soft])
        found, known = _means(detail, views), _means(detail, _views(shown.rgb, expected))
        assert "right_detail" not in found
        np.testing.assert_allclose(found["detail"], known["detail"])


def test_without_any_reference_there_are_no_values(detail: Detail, make_views: Callable[..., Views]) -> None:
    assert detail.score(make_views(2), "", []) == {}


def test_a_mixture_of_truth_and_noise_has_scipy_s_coherence() -> None:
    """For white images, whose coherence is the same at all frequencies: signal / (signal + noise)."""
    rng, side = np.random.default_rng(3), 128
    signal, noise = rng.normal(0, 1, (2, side, side))
    mixture = signal + 0.7 * noise
    _, by_row = coherence(signal.ravel(), mixture.ravel(), nperseg=side)
    spectra = [np.fft.fft2(image) / image.size for image in (mixture, signal)]
    found = explained_share(*spectra, octaves((side, side), side / 2, 2))
    np.testing.assert_allclose(found, by_row[4:-4].mean(), atol=0.02)
    np.testing.assert_allclose(found, 1 / (1 + 0.49), atol=0.02)

"""Saturation and lightness on colours whose chroma is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import lab2rgb

from metrics.saturation import DISTANCE, Saturation, object_colours
from metrics.suites import Suite
from metrics.views import TruthViews, Views

SIDE = 32
DISC = np.hypot(*(np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j])) < 0.6


def _disc(lightness: float, chroma: float, hue_deg: float = 40.0, background: int = 255, count: int = 2) -> TruthViews:
    """A disc of one colour over grey."""
    hue = np.deg2rad(hue_deg)
    colour = np.rint(255 * lab2rgb(np.array([[[lightness, chroma * np.cos(hue), chroma * np.sin(hue)]]]))[0, 0])
    rgb = np.where(DISC[..., None], colour, background).astype(np.uint8)
    return TruthViews("disc", np.stack([rgb] * count), np.stack([255 * DISC.astype(np.uint8)] * count))


def _views(shown: TruthViews, *truths: TruthViews) -> Views:
    return Views(shown.rgb, shown.opacity, np.arange(len(shown.rgb)) * 90.0, truths)


@pytest.fixture(scope="module")
def saturation(suite: Suite) -> Saturation:
    return Saturation(suite)


def _means(saturation: Saturation, views: Views) -> tuple[float, float]:
    found = saturation.score(views, "", [])
    return 100 * float(np.mean(found["saturation"])), 100 * float(np.mean(found["lightness"]))


def test_an_equal_image_has_100_percent(saturation: Saturation) -> None:
    truth = _disc(60, 30)
    assert _means(saturation, _views(truth, truth)) == (100, 100)


@given(factor=st.floats(0.2, 1.6), hue=st.floats(0, 360))
def test_a_factor_of_the_chroma_is_recovered(suite: Suite, factor: float, hue: float) -> None:
    found = _means(Saturation(suite), _views(_disc(65, 20 * factor, hue), _disc(65, 20, hue)))
    np.testing.assert_allclose(found, (100 * factor, 100), rtol=0.06, atol=4)  # 8-bit colours


def test_a_factor_of_the_lightness_is_recovered(saturation: Saturation) -> None:
    found = _means(saturation, _views(_disc(30, 20), _disc(60, 20)))
    np.testing.assert_allclose(found, (100, 50), atol=2)


@pytest.mark.parametrize("grey", [0, 100, 255])
def test_grey_has_no_saturation(saturation: Saturation, grey: int) -> None:
    truth = _disc(60, 30)
    rgb = np.where(DISC[..., None], grey, truth.rgb).astype(np.uint8)
    found = saturation.score(Views(rgb, truth.opacity, np.zeros(2), [truth]), "", [])["saturation"]
    assert (100 * found < 0.1).all()


def test_only_the_object_s_pixels_count(saturation: Saturation) -> None:
    truth, white = _disc(60, 30), _disc(60, 30, background=90)
    np.testing.assert_allclose(_means(saturation, _views(white, truth)), 100)


@pytest.mark.parametrize("background", [128, 255])
def test_the_object_of_an_opaque_image_differs_from_its_border(saturation: Saturation, background: int) -> None:
    truth = _disc(40, 30, background=background)
    opaque = np.full_like(truth.opacity, 255)
    np.testing.assert_allclose(object_colours(truth.rgb, opaque), object_colours(truth.rgb, truth.opacity))
    views = dataclasses.replace(_views(truth), samples=truth.rgb)
    np.testing.assert_allclose(_means(saturation, views), 100)


def test_a_colour_close_to_the_border_s_is_background(saturation: Saturation) -> None:
    opaque = np.full((1, SIDE, SIDE), 255, np.uint8)
    near, far = (_disc(85 - delta, 0, background=213, count=1).rgb for delta in (DISTANCE - 2, DISTANCE + 2))
    assert np.isnan(object_colours(near, opaque)).all()
    assert not np.isnan(object_colours(far, opaque)).any()


def test_a_view_without_an_object_has_no_value_and_does_not_count(saturation: Saturation) -> None:
    truth = _disc(60, 30)
    opacity = truth.opacity.copy()
    opacity[1] = 0
    found = saturation.score(Views(truth.rgb, opacity, np.zeros(2), [truth]), "", [])["saturation"]
    np.testing.assert_array_equal(found, [1, np.nan])
    half = dataclasses.replace(truth, opacity=opacity)
    np.testing.assert_allclose(saturation.score(_views(truth, half), "", [])["saturation"], 1)


def test_nothing_is_relative_to_a_reference_without_colour(saturation: Saturation) -> None:
    empty = dataclasses.replace(_disc(60, 30), opacity=np.zeros((2, SIDE, SIDE), np.uint8))
    found = saturation.score(_views(_disc(60, 30), empty), "", [])
    assert all(np.isnan(values).all() for values in found.values())


def test_without_any_reference_there_are_no_values(saturation: Saturation, make_views: Callable[..., Views]) -> None:
    assert saturation.score(make_views(2), "", []) == {}


def test_without_opacity_the_object_is_what_differs_from_the_border(saturation: Saturation) -> None:
    truth = _disc(60, 30)
    opaque = dataclasses.replace(_views(truth, truth), opacity=np.full(truth.rgb.shape[:-1], 255, np.uint8))
    unknown = dataclasses.replace(opaque, opacity=None)
    assert _means(saturation, unknown) == _means(saturation, opaque) == (100, 100)

"""Views that metrics refuse."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from metrics.views import TruthViews, Views

RGB = np.zeros((2, 4, 5, 3), dtype=np.uint8)
OPACITY = np.zeros((2, 4, 5), dtype=np.uint8)
AZIMUTH = np.array([0.0, 180.0])


@pytest.mark.parametrize("shape", [(0, 8, 8, 3), (2, 4, 8, 3), (2, 8, 8)])
def test_images_of_the_prior_have_the_size_of_the_views(shape: tuple[int, ...]) -> None:
    views = Views(np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8), np.uint8), np.zeros(1))
    assert dataclasses.replace(views, samples=np.zeros((5, 8, 8, 3), np.uint8)).samples is not None
    with pytest.raises(ValueError, match=r"views.samples.*: shape"):
        dataclasses.replace(views, samples=np.zeros(shape, np.uint8))
    with pytest.raises(TypeError, match=r"views\.samples\.rgb: dtype float64, must be uint8"):
        dataclasses.replace(views, samples=np.zeros((1, 8, 8, 3)))


def test_objects_need_other_cameras_but_the_size_of_the_views() -> None:
    views = Views(np.zeros((1, 8, 8, 3), np.uint8), np.zeros((1, 8, 8), np.uint8), np.zeros(1))
    ring = TruthViews("car", np.zeros((3, 8, 8, 3), np.uint8), np.zeros((3, 8, 8), np.uint8))
    assert len(dataclasses.replace(views, objects=[ring]).objects[0].rgb) == 3
    small = TruthViews("car", np.zeros((3, 4, 4, 3), np.uint8), np.zeros((3, 4, 4), np.uint8))
    with pytest.raises(ValueError, match=r"truth 'car'.rgb: shape \(3, 4, 4, 3\), must be \(m, 8, 8, 3\)"):
        dataclasses.replace(views, objects=[small])


def test_number_of_views() -> None:
    assert len(Views(RGB, OPACITY, AZIMUTH, [TruthViews("same cameras", RGB, OPACITY)])) == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_images_are_uint8_or_refused(dtype: type) -> None:
    with pytest.raises(TypeError, match=rf"views\.rgb: dtype {np.dtype(dtype)}, must be uint8"):
        Views(RGB.astype(dtype), OPACITY, AZIMUTH)
    with pytest.raises(TypeError, match=r"truth 'duck'\.opacity: dtype"):
        TruthViews("duck", RGB, OPACITY.astype(dtype))


@pytest.mark.parametrize(
    ("rgb", "opacity", "azimuth", "message"),
    [
        (RGB[..., :2], OPACITY, AZIMUTH, r"views\.rgb: shape \(2, 4, 5, 2\), must be \(n, h, w, 3\)"),
        (RGB[0], OPACITY, AZIMUTH, r"views\.rgb: shape \(4, 5, 3\)"),
        (RGB, OPACITY[:, :3], AZIMUTH, r"views\.opacity: shape \(2, 3, 5\), must be \(2, 4, 5\)"),
        (RGB, OPACITY, AZIMUTH[:1], r"views\.azimuth_deg: shape \(1,\), must be \(2,\)"),
    ],
)
def test_shapes_fit_or_are_refused(rgb: np.ndarray, opacity: np.ndarray, azimuth: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Views(rgb, opacity, azimuth)


def test_truth_is_seen_from_the_same_cameras() -> None:
    with pytest.raises(ValueError, match=r"truth 'car'\.rgb: shape \(1, 4, 5, 3\), must be \(2, 4, 5, 3\)"):
        Views(RGB, OPACITY, AZIMUTH, [TruthViews("car", RGB[:1], OPACITY[:1])])


def test_truth_from_a_whole_ring_is_looked_up_by_azimuth() -> None:
    rgb = np.arange(4 * 20 * 3, dtype=np.uint8).reshape(4, 4, 5, 3)
    truth = TruthViews("car", rgb, rgb[..., 0], np.array([0.0, 90.0, 180.0, -90.0]))
    seen = truth.seen_from(np.array([270.0, -180.0]))
    np.testing.assert_array_equal(seen.rgb, rgb[[3, 2]])
    np.testing.assert_array_equal(seen.opacity, rgb[[3, 2], ..., 0])
    assert len(Views(RGB, OPACITY, AZIMUTH, [truth])) == 2
    with pytest.raises(ValueError, match="truth 'car': has no view from azimuth 45°"):
        Views(RGB, OPACITY, np.array([0.0, 45.0]), [truth])
    with pytest.raises(ValueError, match=r"azimuth_deg: shape \(2,\), must be \(4,\)"):
        TruthViews("car", rgb, rgb[..., 0], AZIMUTH)


def test_the_object_without_its_face_is_checked_and_selected() -> None:
    rgb = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    truth = TruthViews("car", rgb, rgb[..., 0], np.array([0.0, 90.0, 180.0, -90.0]), rgb + 10)
    np.testing.assert_array_equal(truth.seen_from(np.array([180.0, 0.0])).faceless[:, 0, 0, 0], [12, 10])
    with pytest.raises(ValueError, match=r"truth 'car'\.faceless: shape \(1, 8, 8, 3\), must be \(4, 8, 8, 3\)"):
        TruthViews("car", rgb, rgb[..., 0], faceless=rgb[:1])
    with pytest.raises(TypeError, match=r"truth 'car'\.faceless: dtype float64, must be uint8"):
        TruthViews("car", rgb, rgb[..., 0], faceless=rgb / 255)


def test_views_of_other_seeds_are_as_many_and_may_be_of_another_size() -> None:
    views = Views(RGB, OPACITY, AZIMUTH, others=[np.zeros((2, 8, 8, 3), np.uint8)])
    assert len(views.others) == 1
    with pytest.raises(ValueError, match=r"views\.others\[1\]: 3 images, must be 2"):
        dataclasses.replace(views, others=[RGB, np.zeros((3, 4, 5, 3), np.uint8)])
    with pytest.raises(TypeError, match=r"views\.others\[0\]\.rgb: dtype float64, must be uint8"):
        dataclasses.replace(views, others=[np.zeros((2, 4, 5, 3))])


def test_each_image_has_a_text_if_there_are_texts() -> None:
    assert Views(RGB, OPACITY, AZIMUTH, texts=("a", "a")).texts == ("a", "a")
    with pytest.raises(ValueError, match=r"views\.texts: 1 texts, must be 2"):
        Views(RGB, OPACITY, AZIMUTH, texts=("a",))

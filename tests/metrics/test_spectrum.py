"""Power by octave: Parseval, scipy's periodogram, and images whose spectrum is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import periodogram

from metrics.spectrum import octaves, power, spectrum, windowed_luminance

SIDES = (32, 64, 65)


def _noise(side: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def _grating(side: int, cycles: int) -> np.ndarray:
    wave = 128 + 100 * np.cos(2 * np.pi * cycles * np.arange(side) / side)
    return np.broadcast_to(wave[None, :, None], (side, side, 3)).round().astype(np.uint8)


@given(seed=st.integers(0, 2**32 - 1), side=st.sampled_from(SIDES))
def test_the_octaves_and_what_is_outside_them_sum_to_the_variance(seed: int, side: int) -> None:
    image = _noise(side, seed)
    bands = octaves((side, side), side / 2, 5)
    assert np.sum(bands, axis=0).max() == 1  # no frequency is in two
    outside = ~np.any(bands, axis=0)
    found = sum(power(spectrum(image), band) for band in [*bands, outside])
    np.testing.assert_allclose(found, np.square(windowed_luminance(image)).mean(), rtol=1e-12)


def test_the_window_keeps_the_power_of_noise() -> None:
    found = [np.square(windowed_luminance(_noise(64, seed))).mean() for seed in range(40)]
    weights = np.array([0.2125, 0.7154, 0.0721])
    np.testing.assert_allclose(np.mean(found), np.square(weights).sum() / 12, rtol=0.05)


def test_equals_the_periodogram_of_scipy() -> None:
    """Images that vary along one axis only, whose spectrum is that of a row times the spectrum of the window."""
    side, rng = 64, np.random.default_rng(1)
    row = rng.integers(0, 256, side, dtype=np.uint8)
    image = np.broadcast_to(row[None, :, None], (side, side, 3)).copy()
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(side) / side)
    level = row / 255.0
    # scipy divides by the sum of squares of its window, as the mean square of ours is 1
    _, density = periodogram(level - (level * window).sum() / window.sum(), window="hann", detrend=False)
    ours = np.square(np.abs(spectrum(image))).sum(axis=0)[: side // 2 + 1]
    np.testing.assert_allclose(2 * ours[1:-1] * side, density[1:-1], rtol=1e-9)


@pytest.mark.parametrize(("cycles", "octave"), [(2, 1), (3, 1), (6, 2), (12, 3), (24, 4), (31, 4)])
@pytest.mark.parametrize("side", [64, 128])
def test_a_grating_is_in_its_octave_at_any_size(cycles: int, octave: int, side: int) -> None:
    found = [power(spectrum(_grating(side, cycles)), band) for band in octaves((side, side), 32, 5)]
    share = np.array(found) / np.sum(found)
    assert np.argmax(share) == octave
    assert share[octave] > 0.6 if cycles in (2, 31) else 0.8  # the window spreads a frequency over its neighbours


@pytest.mark.parametrize("grey", [0, 77, 255])
def test_a_constant_image_has_no_power_at_all(grey: int) -> None:
    assert not spectrum(np.full((16, 16, 3), grey, np.uint8)).any()


def test_luminance_does_not_depend_on_the_mean() -> None:
    image = _noise(32) // 2
    np.testing.assert_allclose(windowed_luminance(image + 100), windowed_luminance(image), atol=1e-12)

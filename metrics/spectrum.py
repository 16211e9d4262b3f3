"""Power of an image's luminance by octave of spatial frequency."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Spectrum = NDArray[np.complex128]


def windowed_luminance(rgb: np.ndarray) -> Floats:
    """Return the luminance ``(h w)`` of a uint8 image ``(h w 3)``, in [0, 1], without its mean, times a Hann window.

    The luminance is 0.2125 R + 0.7154 G + 0.0721 B of the encoded values (scikit-image's ``rgb2gray``).  The mean that
    is subtracted is weighted by the window, so that a constant image has no power at all.  The window is scaled to a
    mean square of 1, so that the power does not depend on it.
    """
    from skimage.color import rgb2gray  # takes half a second to import, which looking the metric up should not

    luminance = rgb2gray(rgb)
    if np.ptp(luminance) == 0:
        return np.zeros_like(luminance)  # not the round-off of the mean, which would be power in every octave
    height, width = luminance.shape
    window = np.outer(_hann(height), _hann(width))
    window /= np.sqrt(np.square(window).mean())
    found: Floats = (luminance - (luminance * window).sum() / window.sum()) * window
    return found


def spectrum(rgb: np.ndarray) -> Spectrum:
    """Return the two-dimensional Fourier transform ``(h w)`` of the windowed luminance, divided by the pixels.

    Its squared magnitudes sum to the mean square of the windowed luminance (Parseval).
    """
    windowed = windowed_luminance(rgb)
    return np.asarray(np.fft.fft2(windowed) / windowed.size)


def octaves(shape: tuple[int, int], nyquist: float, count: int) -> list[NDArray[np.bool_]]:
    """Return the masks ``(h w)`` of ``count`` octaves of a spectrum, from the lowest; the last one ends at ``nyquist``.

    Args:
        shape: Height and width of the image.
        nyquist: Upper end of the highest octave, in cycles per image height; it belongs to no octave, as it is the one
            frequency of an image of that size whose power depends on its phase.
        count: Number of octaves.
    """
    height, width = shape
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)) * height
    edges = [nyquist / 2**above for above in range(count, -1, -1)]
    # the frequencies are multiples of 1 / height with round-off, the edges are exact
    return [(radius >= low - 1e-9) & (radius < high - 1e-9) for low, high in pairwise(edges)]


def power(spectrum: Spectrum, mask: NDArray[np.bool_]) -> float:
    """Sum the power of the frequencies of ``mask``."""
    return float(np.square(np.abs(spectrum[mask])).sum())


def _hann(count: int) -> Floats:
    """Return the periodic Hann window, which has no second zero at its end."""
    found: Floats = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(count) / count)
    return found

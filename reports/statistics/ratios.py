"""Means, spreads and distances of ratios, in which half and twice the target are equally wrong."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from reports.statistics.values import Floats

#: Smallest ratio to the target that counts: a ratio of 0 has no logarithm.
LEAST: Final = 2.0**-10


def geometric_mean(values: ArrayLike, axis: int = -1, *, target: float) -> Floats:
    """Compute the geometric mean along ``axis``; values below ``LEAST`` of the target count as that.

    Args:
        values: Ratios in the unit of the target, at least 0.
        axis: Axis that is reduced.
        target: The ratio that is right, above 0.
    """
    return np.asarray(target * np.exp2(_octaves(values, target).mean(axis=axis)))


def geometric_sd(values: ArrayLike, *, target: float) -> float | None:
    """Compute the SD (n − 1) of the logarithm as a factor, at least 1; None for fewer than two values.

    Values below ``LEAST`` of the target count as that, as they do in the mean.

    Args:
        values: Ratios in the unit of the target, at least 0.
        target: The ratio that is right, above 0.
    """
    octaves = _octaves(values, target)
    return float(np.exp2(octaves.std(ddof=1))) if len(octaves) > 1 and np.isfinite(octaves).all() else None


def octaves_off(values: ArrayLike, *, target: float) -> Floats:
    """Compute the distance |log2(value / target)|, where values below ``LEAST`` of the target count as that.

    Args:
        values: Ratios in the unit of the target, at least 0; NaN stays NaN.
        target: The ratio that is right, above 0.
    """
    return np.abs(_octaves(values, target))


def _octaves(values: ArrayLike, target: float) -> Floats:
    return np.log2(np.maximum(np.asarray(values, dtype=np.float64) / target, LEAST))

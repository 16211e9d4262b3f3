"""A curve that is small enough for a line of text."""

from __future__ import annotations

import numpy as np
import pandas as pd

WIDTH, HEIGHT = 120, 28


def sparkline(values: pd.Series) -> str:
    """Return the ``d`` of an SVG path in a box of ``WIDTH × HEIGHT``; empty with fewer than two finite values."""
    finite = values.to_numpy(dtype=float)
    finite = finite[np.isfinite(finite)]
    if len(finite) < 2:
        return ""
    low, high = finite.min(), finite.max()
    x = np.linspace(1, WIDTH - 1, len(finite))
    y = HEIGHT - 2 - (finite - low) / (high - low if high > low else 1.0) * (HEIGHT - 4)
    return "M" + "L".join(f"{across:.1f} {down:.1f}" for across, down in zip(x, y, strict=True))

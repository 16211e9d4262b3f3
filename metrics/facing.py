"""The front of an object, and the views of its back that show a face, from what each view of a ring shows."""

from __future__ import annotations

import numpy as np

from metrics.views import turn_deg

#: Views within this angle of a direction face it, as in the view words of prompts; the bound itself does not.
FACING_DEG = 45.0

#: Least share of the views of the front that show a face; where fewer do, no face can be an extra one.
LEAST_SHARE = 0.5


def faces(azimuth_deg: np.ndarray, direction_deg: float) -> np.ndarray:
    """Say which cameras look at the side that points in a direction, bool like ``azimuth_deg``."""
    # cameras at the bound may be off by rounding
    looks: np.ndarray = np.abs(turn_deg(azimuth_deg, direction_deg)) < FACING_DEG - 0.01
    return looks


def front_direction(shows: np.ndarray, azimuth_deg: np.ndarray, expected_deg: float | None = None) -> float:
    """Find the direction of the front: that of a camera around which the most views show a face.

    Of equal ones it is the nearest to the expected one; without one, the middle of the face in its half circle, then
    of all faces, and then the nearest to 0°.

    Args:
        shows: Whether each view shows a face, float ``(n,)`` of 0 and 1; NaN where it is not known.
        azimuth_deg: Azimuths of the views ``(n,)``.
        expected_deg: Direction of the front where the whole ring matches the truth best, if there is one.
    """
    seen = np.nan_to_num(shows)
    nearest_to = 0.0 if expected_deg is None else expected_deg

    def rank(direction_deg: float) -> tuple[float, float, float, float]:
        around = faces(azimuth_deg, direction_deg)
        cosine = np.cos(np.radians(azimuth_deg - direction_deg))
        half, whole = (round(float(seen @ weights), 4) for weights in (cosine.clip(0), cosine))
        if expected_deg is not None:
            half = whole = 0.0
        off = float(np.abs(turn_deg(np.array([direction_deg]), nearest_to))[0])
        return float(seen[around].mean()), half, whole, -off

    return float(max(azimuth_deg.tolist(), key=rank))


def front_and_extra(
    shows: np.ndarray, azimuth_deg: np.ndarray, expected_deg: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Split what views show into those of the front and those of the back, both float ``(n,)`` and NaN elsewhere.

    The back has no values where less than half of the views of the front show a face.

    Args:
        shows: Whether each view shows a face, float ``(n,)`` of 0 and 1; NaN where it is not known.
        azimuth_deg: Azimuths of the views ``(n,)``.
        expected_deg: Direction of the front where the whole ring matches the truth best, if there is one.
    """
    direction = front_direction(shows, azimuth_deg, expected_deg)
    front = np.where(faces(azimuth_deg, direction), shows, np.nan)
    known = front[~np.isnan(front)]
    if not len(known) or known.mean() < LEAST_SHARE:
        return front, np.full(len(shows), np.nan)
    return front, np.where(faces(azimuth_deg, direction + 180.0), shows, np.nan)

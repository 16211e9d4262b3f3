"""The turn about the vertical axis at which a scene matches an object best, since no prompt fixes the front."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from metrics.views import TruthViews, Views, turn_deg

#: PSNR of equal images, for which it is not defined: 8-bit images that differ have less than 97 dB at 64 × 64 pixels.
MAX_PSNR_DB = 100.0


class Match(NamedTuple):
    """An object, seen from the cameras of the views after a turn."""

    truth: TruthViews  # its azimuths are those of the views, turned
    psnr_db: float  # mean over the views


def best_turn(views: Views) -> Match:
    """Return the object and the turn with the highest PSNR, averaged over the views; one turn for all views.

    Turns are the steps between the truth's cameras.  Of equal ones the smallest turn and the first object count.

    Raises:
        ValueError: If no truth is known.
    """
    if not views.truths:
        raise ValueError("views.truths: is empty, must have the objects that fit the prompt")
    return max((_best_turn(views, truth) for truth in views.truths), key=lambda match: match.psnr_db)


def _best_turn(views: Views, truth: TruthViews) -> Match:
    cameras = views.azimuth_deg if truth.azimuth_deg is None else truth.azimuth_deg
    turns = turn_deg(cameras, views.azimuth_deg[0])
    turns = turns[np.argsort(np.abs(turns), kind="stable")]
    off = np.abs(turn_deg(cameras, (views.azimuth_deg + turns[:, None])[..., None]))  # (turns n m)
    exist = off.min(axis=-1).max(axis=-1) < 0.05
    turns, nearest = turns[exist], off.argmin(axis=-1)[exist]
    decibels = _psnr_db(views.rgb, truth.rgb)  # (n m)
    of_turns = decibels[np.arange(len(views)), nearest].mean(axis=1)  # (turns,)
    best = int(of_turns.argmax())
    index = nearest[best]
    faceless = None if truth.faceless is None else truth.faceless[index]
    seen = TruthViews(truth.name, truth.rgb[index], truth.opacity[index], cameras[index], faceless)
    return Match(seen, float(of_turns[best]))


def _psnr_db(seen: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Compute the PSNR ``(n m)`` of every two uint8 images ``(n h w 3)`` and ``(m h w 3)``."""
    a, b = (images.reshape(len(images), -1).astype(np.float64) for images in (seen, true))
    squares = (np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T) / a.shape[1]  # exact
    with np.errstate(divide="ignore"):
        decibels: np.ndarray = np.minimum(10 * np.log10(255.0**2 / squares), MAX_PSNR_DB)
    return decibels

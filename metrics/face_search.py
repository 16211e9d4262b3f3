"""Search of views for the face of a known object, whatever the light: matched filters in windows around the face.

A window is an image of the object around its face, from the front or near it, as it is and mirrored.  Pixels of a view
in a window are compared up to a gain, and up to an offset and a gradient of each channel, which takes out brightness,
tint and smooth shading.  What is left is explained by the face, by the object without it, or by its back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from metrics.facing import faces
from metrics.views import TruthViews

#: Side of the images that are compared, pixels; larger ones are reduced to it.
SIDE = 64

#: Least correlation of a view's window with the face, after the object without its face is taken out.
LEAST_CORRELATION = 0.4

#: Least and most contrast of the face, relative to the truth's.
LEAST_CONTRAST, MOST_CONTRAST = 0.2, 4.0

#: Least cosine with the front, relative to that with the back: a face that is smeared is still a face.
LEAST_FRONT = 0.9

_BLUR_PX = 1.0  # standard deviation, of truth and views alike: renders of radiance fields are soft
_MARGIN_PX = 3  # around the face
_SHIFTS = [(y, x) for y in (-2, 0, 2) for x in (-2, 0, 2)]  # pixels
_REACH = 2
_VISIBLE = 0.08  # least change of a channel by the face
_LEAST_PIXELS = 6
_SOFT = 0.01  # share of the face's power that is added to a window's, so that flat windows have no correlation


class _Window(NamedTuple):
    """Unit vectors and images in one window of ``p`` pixels; vectors are ``(3 p)``, free of the nuisances."""

    rows: np.ndarray  # (p,)
    columns: np.ndarray  # (p,)
    nuisances: np.ndarray  # (k p), orthonormal: constant and gradients
    bare: np.ndarray  # the object without its face
    change: np.ndarray  # what the face adds to it, free of it
    front: np.ndarray  # the object with its face
    backs: np.ndarray  # (m 3p), the object from the back


def find_faces(rgb: np.ndarray, truth: TruthViews, azimuth_deg: np.ndarray) -> np.ndarray:
    """Say which views show the face of ``truth``: bool ``(n,)``.

    Args:
        rgb: The views, uint8 ``(n h w 3)``.
        truth: The object, with ``faceless``, from front and back.
        azimuth_deg: Azimuths of the truth's views ``(m,)``, 0 looks at the face.

    Raises:
        ValueError: If the truth has no ``faceless``, or no view of the front or of the back.
    """
    views = _prepare(rgb)
    found = np.zeros(len(rgb), dtype=bool)
    for window in _windows(truth, azimuth_deg):
        moved = np.stack([views[:, window.rows + y, window.columns + x] for y, x in _SHIFTS], axis=1)  # (n shifts p 3)
        moved = np.moveaxis(moved, -1, 2)
        moved = moved - (moved @ window.nuisances.T) @ window.nuisances
        found |= _shows_face(moved.reshape(*moved.shape[:2], -1), window).any(axis=1)
    return found


def _shows_face(seen: np.ndarray, window: _Window) -> np.ndarray:
    """Decide for pixels ``(n shifts 3p)``, free of the nuisances: bool ``(n shifts)``."""
    rest = _without(seen, window.bare)
    power = float(window.change @ window.change)
    contrast = rest @ window.change / power
    correlation = contrast * np.sqrt(power / (np.square(rest).sum(-1) + _SOFT * power))
    is_clear = (correlation > LEAST_CORRELATION) & (contrast > LEAST_CONTRAST) & (contrast < MOST_CONTRAST)
    like_back = _cosine(seen, window.backs).max(axis=1, keepdims=True)  # over the shifts: one that fits is enough
    is_front = _cosine(seen, window.front[None]) > LEAST_FRONT * like_back
    decided: np.ndarray = is_clear & is_front
    return decided


def _cosine(seen: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return the cosine of ``seen`` with the most similar of ``images`` ``(m 3p)``."""
    units = images / np.maximum(np.linalg.norm(images, axis=1, keepdims=True), 1e-6)
    best: np.ndarray = (seen @ units.T).max(axis=-1) / np.maximum(np.linalg.norm(seen, axis=-1), 1e-6)
    return best


def _windows(truth: TruthViews, azimuth_deg: np.ndarray) -> Iterator[_Window]:
    from scipy.ndimage import binary_dilation

    if truth.faceless is None:
        raise ValueError(f"truth {truth.name!r}.faceless: is missing, must show the object without its face")
    fronts, backs = (np.flatnonzero(faces(azimuth_deg, side)) for side in (0.0, 180.0))
    if not len(fronts) or not len(backs):
        raise ValueError(f"truth {truth.name!r}: has no view of its front, or none of its back")
    change = np.abs(truth.rgb[fronts].astype(np.float32) - truth.faceless[fronts]).max(axis=-1) / 255
    with_face, bare, back = (
        _prepare(images) for images in (truth.rgb[fronts], truth.faceless[fronts], truth.rgb[backs])
    )
    back = np.concatenate([back, back[:, :, ::-1]])
    inside = _reduce(truth.opacity[fronts, ..., None].astype(np.float32) / 255)[..., 0] > 0.5
    for index in range(len(fronts)):
        face = _reduce(change[index, None, :, :, None])[0, :, :, 0] > _VISIBLE
        mask = face | (binary_dilation(face, iterations=_MARGIN_PX) & inside[index])
        mask[:_REACH] = mask[-_REACH:] = mask[:, :_REACH] = mask[:, -_REACH:] = False
        for step in (1, -1):
            rows, columns = np.nonzero(mask[:, ::step])
            if len(rows) < _LEAST_PIXELS:
                continue
            nuisances = _nuisances(rows, columns)

            def pixels(
                images: np.ndarray, rows: np.ndarray = rows, columns: np.ndarray = columns, out: np.ndarray = nuisances
            ) -> np.ndarray:
                values = np.moveaxis(images[:, rows, columns], -1, 1)  # (m 3 p)
                return (values - (values @ out.T) @ out).reshape(len(images), -1)

            own, plain = (pixels(images[index, None, :, ::step])[0] for images in (with_face, bare))
            yield _Window(rows, columns, nuisances, plain, _without(own - plain, plain), own, pixels(back))


def _without(values: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Remove the part of ``values`` ``(… k)`` along ``direction`` ``(k,)``, if that is not 0."""
    unit = direction / max(float(np.linalg.norm(direction)), 1e-6)
    rest: np.ndarray = values - (values @ unit)[..., None] * unit
    return rest


def _nuisances(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    basis = np.stack([np.ones(len(rows)), rows - rows.mean(), columns - columns.mean()], axis=1)
    orthonormal: np.ndarray = np.linalg.qr(basis)[0].T.astype(np.float32)
    return orthonormal


def _prepare(rgb: np.ndarray) -> np.ndarray:
    """Reduce and blur uint8 images ``(n h w 3)``: float32 ``(n 64 64 3)`` in [0, 1]."""
    from scipy.ndimage import gaussian_filter

    soft: np.ndarray = gaussian_filter(_reduce(rgb.astype(np.float32) / 255), (0, _BLUR_PX, _BLUR_PX, 0))
    return soft


def _reduce(images: np.ndarray) -> np.ndarray:
    """Resize float images ``(n h w c)`` to ``SIDE``: area means, or bilinear if they are smaller."""
    import torch
    from torch.nn.functional import interpolate

    height, width = images.shape[1:3]
    if (height, width) == (SIDE, SIDE):
        return images
    values = torch.from_numpy(np.ascontiguousarray(np.moveaxis(images, -1, 1), dtype=np.float32))
    resized = interpolate(values, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    return np.moveaxis(resized.numpy(), 1, -1)

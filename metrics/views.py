"""Input of a metric: the evaluation views of one scene and, if it is known, the truth from the same cameras."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_SAME_DEG = 0.01  # between two cameras that differ by rounding only


#: Least opacity of a pixel that belongs to the object: more than half of 255.
OPAQUE = 128


def turn_deg(azimuth_deg: np.ndarray, start_deg: np.ndarray | float) -> np.ndarray:
    """Return the turn from ``start_deg`` to ``azimuth_deg``, degrees in [−180, 180)."""
    turn: np.ndarray = (azimuth_deg - start_deg + 180) % 360 - 180
    return turn


@dataclass(frozen=True)
class TruthViews:
    """Views of one ground-truth object, from the cameras of the scored views and possibly from more of the ring.

    Raises:
        TypeError: If an image is not uint8.
        ValueError: If the shapes do not fit each other.
    """

    name: str
    rgb: np.ndarray  # uint8 (m h w 3)
    opacity: np.ndarray  # uint8 (m h w), 255 is opaque
    azimuth_deg: np.ndarray | None = None  # (m,); None if the cameras are those of the views
    faceless: np.ndarray | None = None  # uint8 (m h w 3), the object without its face; None if it is not known

    def __post_init__(self) -> None:
        _require_images(f"truth {self.name!r}", self.rgb, self.opacity)
        if self.azimuth_deg is not None and self.azimuth_deg.shape != (len(self.rgb),):
            raise ValueError(
                f"truth {self.name!r}.azimuth_deg: shape {self.azimuth_deg.shape}, must be ({len(self.rgb)},)"
            )
        if self.faceless is not None:
            if self.faceless.dtype != np.uint8:
                raise TypeError(f"truth {self.name!r}.faceless: dtype {self.faceless.dtype}, must be uint8 in 0…255")
            if self.faceless.shape != self.rgb.shape:
                raise ValueError(f"truth {self.name!r}.faceless: shape {self.faceless.shape}, must be {self.rgb.shape}")

    def seen_from(self, azimuth_deg: np.ndarray) -> TruthViews:
        """Select the views from cameras at ``azimuth_deg`` ``(n,)``, in their order.

        Raises:
            ValueError: If there is no view from one of them.
        """
        if self.azimuth_deg is None:
            return self
        turn = np.abs(turn_deg(self.azimuth_deg, azimuth_deg[:, None]))
        nearest = turn.argmin(axis=1)
        for azimuth, smallest in zip(azimuth_deg, turn.min(axis=1), strict=True):
            if smallest > _SAME_DEG:
                raise ValueError(f"truth {self.name!r}: has no view from azimuth {azimuth:g}°")
        faceless = None if self.faceless is None else self.faceless[nearest]
        return TruthViews(self.name, self.rgb[nearest], self.opacity[nearest], self.azimuth_deg[nearest], faceless)


@dataclass(frozen=True)
class Views:
    """``n`` views of one scene.

    Images are uint8 throughout, never floats: CLIP's processors divide by 255, and an image in [0, 1] would become
    almost black without a warning.

    Raises:
        TypeError: If an image is not uint8.
        ValueError: If the shapes do not fit each other.
    """

    rgb: np.ndarray  # uint8 (n h w 3), composited over the evaluation background
    opacity: np.ndarray | None  # uint8 (n h w), 255 is opaque; None for images without, as other code writes them
    azimuth_deg: np.ndarray  # (n,), 0 looks at the front, ±180 at the back
    truths: Sequence[TruthViews] = ()  # every ground-truth object that fits the prompt; empty if none is known
    objects: Sequence[TruthViews] = ()  # the same for views that belong to no camera, which then have no ``truths``
    samples: np.ndarray | None = None  # uint8 (m h w 3), the prior's own images of the prompt; None if there are none
    others: Sequence[np.ndarray] = ()  # uint8 (n h w 3) of any size: the same views, of each of the arm's other seeds
    texts: Sequence[str] | None = None  # (n,), of which each image is a draw of its own; None for views of one scene

    def __post_init__(self) -> None:
        _require_images("views", self.rgb, self.opacity)
        if self.azimuth_deg.shape != (len(self.rgb),):
            raise ValueError(f"views.azimuth_deg: shape {self.azimuth_deg.shape}, must be ({len(self.rgb)},)")
        for truth in self.truths:
            shape = truth.seen_from(self.azimuth_deg).rgb.shape
            if shape != self.rgb.shape:
                raise ValueError(f"truth {truth.name!r}.rgb: shape {shape}, must be {self.rgb.shape}")
        for owner, rgb in ((f"truth {truth.name!r}.rgb", truth.rgb) for truth in self.objects):
            self._require_size(owner, rgb)
        if self.samples is not None:
            _require_images("views.samples", self.samples, None)
            self._require_size("views.samples", self.samples)
        for index, rgb in enumerate(self.others):
            _require_images(f"views.others[{index}]", rgb, None)
            if len(rgb) != len(self.rgb):
                raise ValueError(f"views.others[{index}]: {len(rgb)} images, must be {len(self.rgb)}")
        if self.texts is not None and len(self.texts) != len(self.rgb):
            raise ValueError(f"views.texts: {len(self.texts)} texts, must be {len(self.rgb)}")

    def _require_size(self, owner: str, rgb: np.ndarray) -> None:
        if rgb.shape[1:] != self.rgb.shape[1:] or not len(rgb):
            raise ValueError(f"{owner}: shape {rgb.shape}, must be (m, {', '.join(map(str, self.rgb.shape[1:]))})")

    def __len__(self) -> int:
        return len(self.rgb)


def _require_images(owner: str, rgb: np.ndarray, opacity: np.ndarray | None) -> None:
    for field, images in (("rgb", rgb), ("opacity", opacity)):
        if images is not None and images.dtype != np.uint8:
            raise TypeError(f"{owner}.{field}: dtype {images.dtype}, must be uint8 in 0…255")
    if rgb.ndim != 4 or rgb.shape[-1] != 3:
        raise ValueError(f"{owner}.rgb: shape {rgb.shape}, must be (n, h, w, 3)")
    if opacity is not None and opacity.shape != rgb.shape[:-1]:
        raise ValueError(f"{owner}.opacity: shape {opacity.shape}, must be {rgb.shape[:-1]}")

"""Faces: the views of an object's front that show its face, and those of its back that show it again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics import metrics
from metrics.alignment import best_turn
from metrics.card import Column, MetricCard
from metrics.face_search import LEAST_CORRELATION, LEAST_FRONT, SIDE, find_faces
from metrics.facing import FACING_DEG, faces, front_and_extra
from metrics.suites import Role, Suite, find_suite
from metrics.views import OPAQUE, Views

#: Least IoU of a view's silhouette with one of the truth's; below it the view does not show the object.
LEAST_IOU = 0.5


@metrics.register("faces")
class Faces:
    """Views of the front that show the object's face, and views of the back that show it too."""

    columns: tuple[Column, ...] = (
        Column(name="front_faces", title="Front faces", unit="%", group="truth", decimals=1, scale=100),
        Column(
            name="extra_faces", title="Extra faces", unit="%", direction="lower", group="truth", decimals=1, scale=100
        ),
    )
    role: Role | None = None

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self.card = MetricCard(
            columns=self.columns,
            name="faces",
            title="Faces",
            checkpoint=f"none: the truth itself is known ({suite.name})",
            weights_sha256="",
            preprocessing=f"uint8 RGB over the evaluation background, resized to {SIDE} pixels, Gaussian blur of 1 "
            "pixel; truth with and without its face rendered from the same cameras",
            description="A view shows the face (parts that only the front shows: a car's lamps, a duck's beak and "
            "eyes) if its pixels in a window around the face, in one of the truth's views within "
            f"{FACING_DEG:g}° of the front, mirrored or not, shifted by at most 2 pixels, correlate by more than "
            f"{LEAST_CORRELATION:g} with what the face adds to the object without one, and have a cosine with the "
            f"front of more than {LEAST_FRONT:g} × that with any view of the back. A gain, and each channel's mean and "
            "gradient, are taken out, so that brightness, tint and shading do not count. The front is the camera "
            "around which most views show the face, of equal ones the nearest to the turn that matches best, since no "
            "prompt fixes it. Front faces: share of the views within "
            f"{FACING_DEG:g}° of it that show the face. Extra faces: share of those within {FACING_DEG:g}° of its "
            "opposite that do; no value where less than half of the front shows a face, as nothing is repeated there. "
            f"A view has no value if its silhouette's IoU with each of the truth's is below {LEAST_IOU:g}. The truth "
            "scores 100 and 0 under any light.",
        )

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)`` of 0, 1 and NaN per column, or ``{}`` if no truth with a face is known."""
        if not views.truths or views.opacity is None or any(truth.faceless is None for truth in views.truths):
            return {}
        aligned = best_turn(views).truth
        truth = next(each for each in views.truths if each.name == aligned.name)
        azimuth_deg = views.azimuth_deg if truth.azimuth_deg is None else truth.azimuth_deg
        if not all(faces(azimuth_deg, side).any() for side in (0.0, 180.0)):
            nothing = np.full(len(views), np.nan)
            return {"front_faces": nothing, "extra_faces": nothing}
        shows = np.where(_shows_object(views.opacity, truth.opacity), find_faces(views.rgb, truth, azimuth_deg), np.nan)
        turned = views.azimuth_deg if aligned.azimuth_deg is None else aligned.azimuth_deg
        front, extra = front_and_extra(shows, views.azimuth_deg, float(views.azimuth_deg[0] - turned[0]))
        return {"front_faces": front, "extra_faces": extra}


def _shows_object(seen: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Say which opacities ``(n h w)`` have a silhouette like one of the object's ``(m h w)``, bool ``(n,)``."""
    seen, true = ((opacity >= OPAQUE).reshape(len(opacity), -1).astype(np.float64) for opacity in (seen, true))
    shared = seen @ true.T
    union = seen.sum(axis=1)[:, None] + true.sum(axis=1) - shared
    shows: np.ndarray = (shared / np.maximum(union, 1)).max(axis=1) >= LEAST_IOU
    return shows

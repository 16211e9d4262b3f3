"""The images that a relative score is relative to: the truth, or the prior's own images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics.ground_truth import best_match, psnr_db
from metrics.views import TruthViews, Views

#: Sentence for the cards of metrics that are relative to a reference.
REFERENCE = (
    "The reference is the truth where it is known: the same views of the object that fits the prompt and has the "
    "highest PSNR over the ring (for images that belong to no camera, all views of the object whose view nearest to "
    "each image has the highest PSNR in the mean); else the prior's own images of the prompt with the ring's view "
    "words, those of the control prior_2d. The denominator is the mean over the reference's images, so that the mean "
    "over an asset's views is a ratio of means, which no single view dominates. The mean over prompts is geometric, "
    "and tests and ranks use |log2 of the ratio|: half and twice are equally wrong; a ratio below 2⁻¹⁰ counts as that."
)


@dataclass(frozen=True)
class Reference:
    """Images of the right answer."""

    rgb: np.ndarray
    """Images, uint8 ``(m h w 3)``."""
    opacity: np.ndarray | None
    """Opacities, uint8 ``(m h w)``, 255 is opaque; None for the prior's own images, which have none."""
    is_aligned: bool
    """Whether the images are the views' own truth, one for each and from the same camera."""


def find_reference(views: Views) -> Reference | None:
    """Return the reference of ``views``; None if neither the truth nor images of the prior are known."""
    if views.truths:
        truth = best_match(views).seen_from(views.azimuth_deg)
        return Reference(truth.rgb, truth.opacity, is_aligned=True)
    if views.objects:
        nearest = nearest_object(views)
        return Reference(nearest.rgb, nearest.opacity, is_aligned=False)
    if views.samples is not None:
        return Reference(views.samples, None, is_aligned=False)
    return None


def nearest_object(views: Views) -> TruthViews:
    """Return the object of which some view is nearest to each image, by the mean of the highest PSNR."""
    return max(views.objects, key=lambda truth: np.mean([psnr_db(image, truth.rgb).max() for image in views.rgb]))

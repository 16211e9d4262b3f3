"""The images that a relative score is relative to: the truth, or the prior's own images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics.ground_truth import best_match
from metrics.views import Views

#: Sentence for the cards of metrics that are relative to a reference.
REFERENCE = (
    "The reference is the truth where it is known: the same views of the object that fits the prompt and has the "
    "highest PSNR over the ring (for images that belong to no camera, all views of all objects that fit); else the "
    "prior's own images of the prompt with the ring's view words, the images of the control prior_2d. The denominator "
    "is the mean over the reference's images, so that the mean over an asset's views is a ratio of means, which no "
    "single view dominates. The mean over prompts is geometric, and tests and ranks use |log2 of the ratio|: half and "
    "twice are equally wrong; a ratio below 2⁻¹⁰ counts as that."
)


@dataclass(frozen=True)
class Reference:
    """Images of the right answer."""

    rgb: np.ndarray
    """Images, uint8 ``(m h w 3)``."""
    opacity: np.ndarray
    """Opacities, uint8 ``(m h w)``, 255 is opaque; the prior's own images are opaque everywhere."""
    is_aligned: bool
    """Whether the images are the views' own truth, one for each and from the same camera."""


def find_reference(views: Views) -> Reference | None:
    """Return the reference of ``views``; None if neither the truth nor images of the prior are known."""
    if views.truths:
        truth = best_match(views).seen_from(views.azimuth_deg)
        return Reference(truth.rgb, truth.opacity, is_aligned=True)
    if views.objects:
        rgb = np.concatenate([truth.rgb for truth in views.objects])
        return Reference(rgb, np.concatenate([truth.opacity for truth in views.objects]), is_aligned=False)
    if views.samples is not None:
        opaque = np.full(views.samples.shape[:-1], 255, dtype=np.uint8)
        return Reference(views.samples, opaque, is_aligned=False)
    return None

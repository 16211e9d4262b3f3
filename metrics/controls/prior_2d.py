"""Single images of the prior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from pydantic import JsonValue

from metrics.controls import Control, ControlSources, controls, opaque_views
from metrics.views import Views


@controls.register("prior_2d")
@dataclass(frozen=True)
class Prior2D(Control):
    """The prior's own images of the prompt, a new one per view: an upper bound, without 3D consistency.

    The images belong to no camera, so no metric compares them with the truth.
    """

    title = "the prior's own images"
    has_cameras = False
    needs = "a sampler of the prior"

    def available(self, prompt: str, sources: ControlSources) -> bool:
        """Say whether the prior can be sampled."""
        return sources.sample is not None

    def identity(self, sources: ControlSources) -> list[JsonValue]:
        """List what the sampler depends on."""
        identity = sources.sample.identity if sources.sample else []
        return identity if isinstance(identity, list) else [identity]

    def views(self, prompt: str, sources: ControlSources) -> Views:
        """Sample the images and resize them to the evaluation renders.

        Raises:
            ValueError: If there is no sampler, or it returns another number of images.
            TypeError: If its images are not uint8.
        """
        if sources.sample is None:
            raise ValueError("prior_2d: needs a sampler of the prior")
        count = len(sources.azimuth_deg)
        images = sources.sample(prompt, count)
        if images.dtype != np.uint8:
            raise TypeError(f"prior_2d: the sampler's images are {images.dtype}, must be uint8 in 0…255")
        if images.ndim != 4 or (images.shape[0], images.shape[-1]) != (count, 3):
            raise ValueError(f"prior_2d: the sampler's images are {images.shape}, must be ({count}, h, w, 3)")
        return opaque_views(np.stack([_resize(image, sources.resolution) for image in images]), sources)


def _resize(image: np.ndarray, side: int) -> np.ndarray:
    """Bring an image to the size of the evaluation renders, on which CLIP-IQA depends."""
    if image.shape[:2] == (side, side):
        return image
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))

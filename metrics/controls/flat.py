"""One image for all cameras."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics.controls import Control, ControlSources, controls
from metrics.controls.known_truth import OfTruth
from metrics.views import Views


@controls.register("flat")
@dataclass(frozen=True)
class Flat(OfTruth, Control):
    """The mean of the truth's views, the same for every camera: blurred, and of no shape.

    A metric that puts it above the methods rewards blur more than it punishes a missing third dimension.
    """

    title = "mean of the truth's views"

    def views(self, prompt: str, sources: ControlSources) -> Views:
        """Make the mean of colours and opacity, once for each camera."""
        truth = self.truth_of(prompt, sources).read()
        count = len(sources.azimuth_deg)
        rgb, opacity = (
            np.repeat(np.rint(images.mean(0, keepdims=True)).astype(np.uint8), count, axis=0)
            for images in (truth.rgb, truth.opacity)
            if images is not None
        )
        return Views(rgb, opacity, sources.azimuth_deg)

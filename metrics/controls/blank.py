"""The background alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics.controls import Control, ControlSources, controls
from metrics.views import Views


@controls.register("blank")
@dataclass(frozen=True)
class Blank(Control):
    """The background alone, fully transparent: the score of an empty scene."""

    title = "blank image"

    def views(self, prompt: str, sources: ControlSources) -> Views:
        """Make one grey image per camera; all prompts have the same."""
        shape = len(sources.azimuth_deg), sources.resolution, sources.resolution, 3
        grey = np.full(shape, round(255 * sources.background), dtype=np.uint8)
        return Views(grey, np.zeros(shape[:3], dtype=np.uint8), sources.azimuth_deg)

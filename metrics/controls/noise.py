"""Random pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from metrics.controls import Control, ControlSources, controls, opaque_views
from metrics.views import Views


@controls.register("noise")
@dataclass(frozen=True)
class Noise(Control):
    """Independent uniform pixels, opaque, different for every prompt and seed."""

    title = "pixel noise"

    def views(self, prompt: str, sources: ControlSources) -> Views:
        """Draw the pixels from a generator that is seeded with the prompt and the study's seed."""
        rng = np.random.default_rng(list(hashlib.sha256(f"{sources.seed} {prompt}".encode()).digest()))
        shape = len(sources.azimuth_deg), sources.resolution, sources.resolution, 3
        return opaque_views(rng.integers(0, 256, shape, dtype=np.uint8), sources)

"""The truth's own images."""

from __future__ import annotations

from dataclasses import dataclass

from metrics.controls import Control, ControlSources, StoredViews, controls
from metrics.controls.known_truth import OfTruth


@controls.register("truth")
@dataclass(frozen=True)
class TheTruth(OfTruth, Control):
    """The first object that fits the prompt, from every camera: the score of a perfect result.

    A method above it in a column where higher is better gains by something else than being right.
    """

    title = "the truth itself"

    def views(self, prompt: str, sources: ControlSources) -> StoredViews:
        """Return the images of the object."""
        return self.truth_of(prompt, sources)

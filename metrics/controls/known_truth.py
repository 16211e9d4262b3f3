"""The part that controls made of the truth share."""

from __future__ import annotations

from pydantic import JsonValue

from metrics.controls import ControlSources, StoredViews


class OfTruth:
    """A control that is made of the truth of the prompt."""

    needs = "prompts whose truth is known"

    def available(self, prompt: str, sources: ControlSources) -> bool:
        """Say whether the truth of the prompt is known."""
        return sources.truth is not None

    def identity(self, sources: ControlSources) -> list[JsonValue]:
        """List what the truth's images depend on."""
        return [] if sources.truth is None else [sources.truth.identity]

    def truth_of(self, prompt: str, sources: ControlSources) -> StoredViews:
        """Return the truth's images.

        Raises:
            ValueError: If the truth of the prompt is not known.
        """
        if sources.truth is None:
            raise ValueError(f"needs {self.needs}, and that of {prompt!r} is not")
        return sources.truth

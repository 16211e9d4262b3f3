"""Parts of a scene that change over an optimisation."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Paced(Protocol):
    """A module of a scene that is told how far the optimisation is, whatever kind of part it is."""

    def before_step(self, progress: float) -> None:
        """Called before the render of a step; ``progress`` runs from 0 to 1."""
        ...

"""Evaluations of the prior's network by a cell."""

from __future__ import annotations

from collections.abc import Mapping

from methods.contracts import Prior


class CallMeter:
    """Counts network evaluations since the meter was made.

    Args:
        prior: The prior, whose counters are read.
    """

    def __init__(self, prior: Prior) -> None:
        self._prior = prior
        self._start = {"calls": prior.calls, "rows": prior.rows}

    @property
    def calls(self) -> int:
        """Evaluations; a batch counts once."""
        return self._prior.calls - self._start["calls"]

    @property
    def rows(self) -> int:
        """Batch rows evaluated."""
        return self._prior.rows - self._start["rows"]

    def state_dict(self) -> dict[str, int]:
        """The counts so far, for :meth:`load_state_dict`."""
        return {"calls": self.calls, "rows": self.rows}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Add the counts of the same cell in another process."""
        self._start = {name: start - state[name] for name, start in self._start.items()}

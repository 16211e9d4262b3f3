"""The energy that a cell's GPU draws."""

from __future__ import annotations

from collections.abc import Mapping

from bench.watch.nvml import Nvml


class EnergyMeter:
    """Joules since the meter was made, of the whole GPU: a neighbour's work on it is in them.

    Args:
        gpu: Its NVML; None where there is none, and then the energy is not known.
    """

    def __init__(self, gpu: Nvml | None) -> None:
        self._gpu = gpu
        self._start = gpu.energy_joules() if gpu else None
        self._before: float | None = 0.0

    def state_dict(self) -> dict[str, float | None]:
        """The energy so far, for :meth:`load_state_dict`."""
        return {"joules": self.joules()}

    def load_state_dict(self, state: Mapping[str, float | None]) -> None:
        """Add the energy that the same cell drew in another process; without it, the sum is not known."""
        self._before = state["joules"]

    def joules(self) -> float | None:
        """Energy so far, None where it is not known."""
        now = self._gpu.energy_joules() if self._gpu else None
        if now is None or self._start is None or self._before is None:
            return None
        return self._before + now - self._start

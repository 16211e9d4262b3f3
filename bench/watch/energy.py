"""The energy that a cell's GPU draws."""

from __future__ import annotations

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

    def carry_on(self, joules: float | None) -> None:
        """Add what the same cell drew in another process; None if that is not known."""
        self._before = joules

    def joules(self) -> float | None:
        """Energy so far, None where it is not known."""
        now = self._gpu.energy_joules() if self._gpu else None
        if now is None or self._start is None or self._before is None:
            return None
        return self._before + now - self._start

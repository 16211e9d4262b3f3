from __future__ import annotations

import pytest

from bench.watch.energy import EnergyMeter


class _Counter:
    """Of a GPU that had drawn 100 J before the cell began."""

    def __init__(self, *readings: float | None) -> None:
        self._readings = iter(readings)

    def energy_joules(self) -> float | None:
        return next(self._readings)


def test_energy_is_what_the_counter_rose_by() -> None:
    meter = EnergyMeter(_Counter(100.0, 130.0, 150.0))
    assert (meter.joules(), meter.joules()) == (30.0, 50.0)


def test_a_cell_that_goes_on_adds_what_it_drew_before() -> None:
    meter = EnergyMeter(_Counter(100.0, 130.0))
    meter.load_state_dict({"joules": 12.0})
    assert meter.joules() == 42.0


@pytest.mark.parametrize("readings", [(None, 130.0), (100.0, None)])
def test_without_a_counter_energy_is_not_known(readings) -> None:
    assert EnergyMeter(_Counter(*readings)).joules() is None
    assert EnergyMeter(None).joules() is None


def test_energy_that_was_not_known_at_first_is_not_known_in_the_end() -> None:
    meter = EnergyMeter(_Counter(100.0, 130.0))
    meter.load_state_dict({"joules": None})
    assert meter.joules() is None

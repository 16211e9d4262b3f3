from __future__ import annotations

from types import SimpleNamespace

from bench.watch.call_meter import CallMeter


def test_calls_of_other_cells_and_processes_are_kept_apart() -> None:
    prior = SimpleNamespace(calls=10, rows=40)  # of the cells before
    meter = CallMeter(prior)
    prior.calls, prior.rows = 12, 48
    assert meter.state_dict() == {"calls": 2, "rows": 8}

    later = CallMeter(SimpleNamespace(calls=0, rows=0))
    later.load_state_dict(meter.state_dict())
    later._prior.calls, later._prior.rows = 1, 2
    assert (later.calls, later.rows) == (3, 10)

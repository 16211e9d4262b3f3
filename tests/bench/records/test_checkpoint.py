from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import bench.cells.run_cell
from bench.cells.run_cell import run_cell
from bench.errors import VersionError
from bench.records.checkpoint import Checkpoint
from bench.records.event_lines import EventLines
from bench.study.cell import Cell
from bench.study.resolve import plain_settings
from bench.watch.telemetry import Event
from methods.contracts import Prior
from methods.distillation import methods


class _KilledError(BaseException):
    """Like an interrupt, nothing in the cell may catch it."""


@pytest.mark.parametrize("method", methods.names())
def test_a_killed_cell_resumes_to_the_same_bits(method: str, cell: Cell, prior: Prior, tmp_path: Path) -> None:
    settings = plain_settings(methods[method]().calibrated(prior))
    cell = cell.model_copy(update={"method": method, "hyper_parameters": settings, "steps": 7})
    straight = run_cell(cell, prior)
    checkpoint = Checkpoint(tmp_path / "c.safetensors", cell.identity, 0.0)

    for kill_at in (2, 5):

        def kill(event, step=kill_at) -> None:
            if event.step == step:
                raise _KilledError

        with pytest.raises(_KilledError):
            run_cell(cell, prior, checkpoint=checkpoint, on_step=kill)
    taken: list[int] = []
    resumed = run_cell(cell, prior, checkpoint=checkpoint, on_step=lambda event: taken.append(event.step))
    assert taken == [5, 6]  # it resumed, and did not start again

    plain = [event.model_dump(exclude={"seconds"}) for event in straight.events]
    assert [event.model_dump(exclude={"seconds"}) for event in resumed.events] == plain
    assert resumed.scene.keys() == straight.scene.keys()
    assert all(torch.equal(resumed.scene[name], value) for name, value in straight.scene.items())
    assert (resumed.images.rgb == straight.images.rgb).all()
    assert resumed.record.unet_calls == straight.record.unet_calls


@pytest.mark.parametrize("kill_at", [0, 2, 3, 4], ids=lambda step: f"step {step}")
def test_snapshots_and_costs_survive_a_kill(
    kill_at: int, cell: Cell, prior: Prior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snapshots after 2 and 4 of 6 steps; killed before both, after one, and in the step of the second or later."""
    evaluation = cell.evaluation.model_copy(update={"snapshots": (0.34, 0.67)})
    cell = cell.model_copy(update={"evaluation": evaluation, "steps": 6})
    joules = iter(range(0, 1000, 10))
    gpu = SimpleNamespace(energy_joules=lambda: float(next(joules)), process_bytes=lambda: None, driver=lambda: None)
    monkeypatch.setattr(bench.cells.run_cell.Nvml, "find", lambda device: gpu)
    straight = run_cell(cell, prior)
    assert [snapshot.step for snapshot in straight.snapshots] == [2, 4]
    checkpoint = Checkpoint(tmp_path / "c.safetensors", cell.identity, 0.0)

    def kill(event) -> None:
        if event.step == kill_at:
            raise _KilledError

    with pytest.raises(_KilledError):
        run_cell(cell, prior, checkpoint=checkpoint, on_step=kill)
    before = checkpoint.load()
    resumed = run_cell(cell, prior, checkpoint=checkpoint)
    for one, two in zip(straight.snapshots, resumed.snapshots, strict=True):
        assert one.step == two.step
        assert one.images.azimuth_deg == two.images.azimuth_deg
        for kind in ("rgb", "opacity", "normals"):
            assert (getattr(one.images, kind) == getattr(two.images, kind)).all()
    record = resumed.record
    assert (before is None) == (kill_at == 0)
    earlier = before["run"]["meters"]["step_seconds"]["warm_up_steps"] if before else 0
    assert record.step_seconds.warm_up_steps == earlier + 3 - max(0, kill_at - 3)
    steps = record.step_seconds.model_dump(exclude={"warm_up_steps"}).values()
    assert sum(steps) == pytest.approx(sum(event.seconds for event in resumed.events))
    if before:
        meters = before["run"]["meters"]
        assert record.memory.peak_bytes >= meters["memory"]["peak"]
        assert record.energy_joules == meters["energy"]["joules"] + 10 * (6 - kill_at) + 10
        assert record.seconds.optimise > meters["seconds"]["optimise"] > 0


@pytest.mark.parametrize(
    ("every_seconds", "every_steps", "steps_done"),
    [
        (0.0, None, [1, 2, 3, 4, 5, 6]),
        (3600.0, 2, [2, 4, 6]),
        (3600.0, 4, [4]),
        (3600.0, None, []),
        (0.0, 4, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_a_cell_is_saved_by_time_or_by_steps_whichever_is_sooner(
    every_seconds: float, every_steps: int | None, steps_done: list[int], cell: Cell, prior: Prior, tmp_path: Path
) -> None:
    saved: list[int] = []

    class Watched(Checkpoint):
        def save(self, state: Mapping[str, Any]) -> None:
            super().save(state)
            saved.append(state["loop"]["step"])

    checkpoint = Watched(tmp_path / "c.safetensors", cell.identity, every_seconds, every_steps)
    run_cell(cell.model_copy(update={"steps": 6}), prior, checkpoint=checkpoint)
    assert saved == steps_done


def test_a_checkpoint_gives_back_what_was_put_in(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "deep" / "c.safetensors", "a" * 64, 1.0)
    assert checkpoint.load() is None
    state = {"a": {0: torch.arange(3), 1: [1.5, None, "x", torch.tensor(True)]}, "b": [{"c": torch.zeros(0)}]}
    checkpoint.save(state)
    found = checkpoint.load()
    assert found["a"][1][:3] == [1.5, None, "x"]
    assert torch.equal(found["a"][0], state["a"][0])
    assert found["a"][1][3].dtype == torch.bool
    assert found["b"][0]["c"].shape == (0,)
    assert [path.name for path in checkpoint.path.parent.iterdir()] == ["c.safetensors"]
    checkpoint.drop()
    assert checkpoint.load() is None


def test_another_cells_or_a_broken_checkpoint_is_none(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "c.safetensors", "a" * 64, 1.0)
    checkpoint.save({"x": torch.ones(5)})
    assert Checkpoint(checkpoint.path, "b" * 64, 1.0).load() is None
    whole = checkpoint.path.read_bytes()
    for part in (b"", whole[:7], whole[: len(whole) // 2], b"\x00" * 100):
        checkpoint.path.write_bytes(part)
        assert checkpoint.load() is None


def test_a_flipped_bit_anywhere_is_no_checkpoint(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "c.safetensors", "a" * 64, 1.0)
    checkpoint.save({"x": torch.arange(5.0), "step": 3, "flag": torch.tensor(True)})
    whole = checkpoint.path.read_bytes()
    for place in range(8, len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        checkpoint.path.write_bytes(changed)
        try:
            found = checkpoint.load()
        except VersionError:
            assert changed.count(b'"format":"5"') == 1  # the bit that makes it one of a later version
            continue
        assert found is None or (found["step"] == 3 and torch.equal(found["x"], torch.arange(5.0)))


def test_a_state_may_have_more_text_than_the_metadata_of_safetensors(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "c.safetensors", "a" * 64, 1.0)
    checkpoint.save({"text": "x" * 100_000_001})
    found = checkpoint.load()
    assert found is not None
    assert len(found["text"]) == 100_000_001


def test_each_event_is_encoded_once_also_where_a_cell_goes_on(
    cell: Cell, prior: Prior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cell.model_copy(update={"steps": 6})
    straight = run_cell(cell, prior)
    dumped: list[int] = []
    dump = Event.model_dump_json

    def counted(self: Event, **given: Any) -> str:
        dumped.append(self.step)
        return dump(self, **given)

    def kill(event: Event) -> None:
        if event.step == 4:
            raise _KilledError

    monkeypatch.setattr(Event, "model_dump_json", counted)
    path = tmp_path / "c.safetensors"
    with pytest.raises(_KilledError):
        run_cell(cell, prior, checkpoint=Checkpoint(path, cell.identity, 0.0), on_step=kill)
    assert dumped == [0, 1, 2, 3]
    taken: list[int] = []
    again = Checkpoint(path, cell.identity, 0.0)
    resumed = run_cell(cell, prior, checkpoint=again, on_step=lambda event: taken.append(event.step))
    assert taken == [4, 5]
    assert dumped == [0, 1, 2, 3, 4, 5]
    plain = [event.model_dump(exclude={"seconds"}) for event in straight.events]
    assert [event.model_dump(exclude={"seconds"}) for event in resumed.events] == plain
    assert all(torch.equal(resumed.scene[name], value) for name, value in straight.scene.items())


def test_events_go_through_their_lines_to_the_bit() -> None:
    draw = np.random.default_rng(0)
    events = [
        Event(
            step=step, loss=draw.normal(0, 1e-9), regularisation=None, timestep=draw.uniform(0, 1000), log_snr=None,
            opacity=draw.random(), seconds=1 / (step + 3), unet_calls=1, unet_rows=2, diagnostics={"é": draw.random()},
        )
        for step in range(100)
    ]  # fmt: skip
    lines = EventLines()
    first = lines.encode(events[:60])
    assert EventLines().decode(first) == events[:60]
    assert EventLines().decode(lines.encode(events)) == events
    assert EventLines().decode(first) == events[:60]  # it has not changed
    assert EventLines().decode(EventLines().encode([])) == []

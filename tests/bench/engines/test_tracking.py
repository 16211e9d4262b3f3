from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bench.commands.run import run_study
from bench.engines import tracking
from bench.engines.options import EngineOptions, TrackerName
from bench.engines.tracking import CellTracker
from bench.engines.work import do_cell
from bench.errors import InputError
from bench.records.outcome import Images, SnapshotImages
from bench.records.read_record import read_events
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.study import Study
from bench.watch.divergence import Status
from bench.watch.telemetry import Event


def _with_snapshot(study: Study) -> Study:
    return study.model_copy(update={"evaluation": study.evaluation.model_copy(update={"snapshots": (0.5,)})})


def test_tensorboard_gets_the_curves_and_images_of_each_cell(study: Study, tmp_path: Path, console: Console) -> None:
    from tensorboard.backend.event_processing import event_accumulator

    study = _with_snapshot(study.narrow(prompt_ids=["blue-duck"]))
    store = RunStore(tmp_path / "run")
    run_study(study, store, console, options=EngineOptions(track="tensorboard"))
    folders = sorted((store.folder / "tracking").iterdir())
    assert [folder.name for folder in folders] == sorted(store.finished())
    for folder in folders:
        logged = event_accumulator.EventAccumulator(str(folder)).Reload()
        events = read_events(store.folder / "cells" / folder.name)
        assert [scalar.step for scalar in logged.Scalars("loss")] == [event.step for event in events]
        for name in ("loss", "opacity", "seconds"):
            values = [getattr(event, name) for event in events]
            assert [scalar.value for scalar in logged.Scalars(name)] == pytest.approx(values)
        [total] = logged.Scalars("total_seconds")
        assert total.step == len(events)
        assert set(logged.Tags()["images"]) == {"snapshot", "views"}
        [snapshot] = logged.Images("snapshot")
        assert (snapshot.step, snapshot.height) == (2, 8)


class _Recorder:
    """Stands in for accelerate's tracker of a service."""

    def __init__(self, broken: str = "") -> None:
        self.calls: list[tuple[str, Any]] = []
        self._broken = broken

    def _note(self, name: str, value: Any) -> None:
        if name == self._broken:
            raise ConnectionError("no route\nto the server")
        self.calls.append((name, value))

    def start(self) -> None:
        self._note("start", None)

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self._note("settings", values)

    def log(self, values: dict[str, Any], step: int) -> None:
        self._note("log", (step, values))

    def log_images(self, values: dict[str, Any], step: int) -> None:
        self._note("images", (step, values))

    def finish(self) -> None:
        self._note("finish", None)

    def named(self, name: str) -> list[Any]:
        return [value for call, value in self.calls if call == name]


def _recording(monkeypatch: pytest.MonkeyPatch, broken: str = "", name: TrackerName = "wandb") -> _Recorder:
    recorder = _Recorder(broken)
    monkeypatch.setitem(tracking._KINDS, name, tracking._KINDS[name]._replace(make=lambda *_: recorder))
    return recorder


def test_a_run_in_a_tracker_is_closed_after_its_costs(
    study: Study, cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = _recording(monkeypatch)
    assert do_cell(cell, study, RunStore(tmp_path), track="wandb")
    assert [name for name, _ in recorder.calls] == ["start", "settings", *["log"] * 4, "images", "log", "finish"]
    [settings] = recorder.named("settings")
    assert settings["prompt_id"] == cell.prompt_id
    step, costs = recorder.named("log")[-1]
    assert (step, set(costs)) == (4, {"total_seconds", "peak_memory_gb"})


@pytest.mark.parametrize("broken", ["start", "settings", "log", "images", "finish"])
def test_a_broken_tracker_costs_no_cell(
    broken: str, study: Study, cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _recording(monkeypatch, broken)
    store = RunStore(tmp_path)
    assert do_cell(cell, study, store, track="wandb")
    record = store.read(cell)
    assert record is not None
    assert record.status is Status.COMPLETED
    lines = store.log(cell).read_text().splitlines()
    assert lines.count("--track wandb: ConnectionError: no route to the server; the cell goes on without it") == 1


def test_numbers_that_are_not_finite_are_left_out(cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = _recording(monkeypatch)
    event = _event(loss=None, opacity=0.5)
    CellTracker("wandb", cell, "tiny", tmp_path).step(event)
    numbers = {"opacity": 0.5, "seconds": 1.0, "timestep": 20.0, "log_snr": 4.0, "fixed_point_error": 2.0}
    assert recorder.named("log") == [(3, numbers)]


def _event(**changes: Any) -> Event:
    fields = {
        "step": 3, "loss": 1.0, "regularisation": None, "timestep": 20.0, "log_snr": 4.0, "opacity": 1.0,
        "seconds": 1.0, "unet_calls": 1, "unet_rows": 2, "diagnostics": {"fixed_point_error": 2.0, "lora_loss": None},
    }  # fmt: skip
    return Event.model_validate(fields | changes)


def test_mlflow_and_trackio_get_images_in_their_own_way(
    cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, int]] = []
    mlflow = SimpleNamespace(log_image=lambda image, key, step: sent.append((key, step)))
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setitem(sys.modules, "trackio", SimpleNamespace(Image=np.shape))
    rgb = np.zeros((2, 8, 8, 3), np.uint8)
    snapshot = SnapshotImages(5, 1.0, Images([0.0, 90.0], rgb, rgb[..., 0]))
    _recording(monkeypatch, name="mlflow")
    CellTracker("mlflow", cell, "tiny", tmp_path).snapshot(snapshot)
    assert sent == [("snapshot-0", 5), ("snapshot-1", 5)]
    recorder = _recording(monkeypatch, name="trackio")
    CellTracker("trackio", cell, "tiny", tmp_path).snapshot(snapshot)
    assert recorder.named("log") == [(5, {"snapshot/0": (8, 8, 3), "snapshot/1": (8, 8, 3)})]


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow", "trackio"])
def test_accelerate_has_the_tracker(name: TrackerName, cell: Cell, tmp_path: Path) -> None:
    made = tracking._KINDS[name].make(cell, "sdibench-tiny", tmp_path)
    assert made.name == name
    assert callable(made.log)


def test_a_tracker_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"^--track mlflow: mlflow is not installed; pip install mlflow$"):
        EngineOptions(track="mlflow")

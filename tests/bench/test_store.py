from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from bench.cell import Cell
from bench.divergence import Status
from bench.environment import Environment
from bench.errors import InputError
from bench.expand import expand
from bench.record import Outcome, Record
from bench.run_cell import run_cell
from bench.store import RunStore, new_folder, read_events, read_record, write_atomically
from bench.study import Study
from bench.telemetry import Event, Memory, PhaseSeconds
from methods.contracts import Prior


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "run")


@pytest.fixture
def outcome(cell: Cell) -> Outcome:
    """Made up, so that every value is known."""
    record = Record(
        identity=cell.identity,
        cell=cell,
        status=Status.COMPLETED,
        steps_done=1,
        seconds=PhaseSeconds(prepare=0.5, optimise=2.0, evaluate=0.25),
        memory=Memory(kind="rss", peak_bytes=1000, reserved_bytes=None, since="cell"),
        unet_calls=1,
        unet_rows=2,
        started_at="2026-01-01T00:00:00+00:00",
        environment=Environment(
            git_commit=None, git_dirty=None, python="3.11", platform="none", packages={}, cpu="none", cores=1,
            memory_bytes=1, gpu=None, cuda=None, threads=1, deterministic=True, device="none",
        ),
    )  # fmt: skip
    event = Event(
        step=0, loss=None, regularisation=0.5, timestep=10.0, opacity=0.25, seconds=2.0, unet_calls=1, unet_rows=2,
        diagnostics={"error": 0.125},
    )  # fmt: skip
    pictures = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    return Outcome(record, [event], [0.0, 180.0], pictures, pictures[..., 0], {})


def test_record_is_written_as_documented(store: RunStore, outcome: Outcome, golden: Callable[[str, str], None]) -> None:
    store.write(outcome)
    folder = store.cell_folder(outcome.record.cell)
    fields = json.loads((folder / "record.json").read_text())
    fields["seconds"]["write"] = 0.0  # the one value that only a clock knows
    fields["file_bytes"] = sorted(fields["file_bytes"])  # zlib's sizes differ between machines
    golden("bench/record.json", json.dumps(fields, indent=2) + "\n")
    golden("bench/events.jsonl", (folder / "events.jsonl").read_text())


def test_what_is_written_is_read_back(store: RunStore, outcome: Outcome) -> None:
    cell = outcome.record.cell
    assert store.read(cell) is None
    written = store.write(outcome)
    assert store.read(cell) == written
    folder = store.cell_folder(cell)
    assert read_events(folder) == outcome.events
    assert [view.azimuth_deg for view in written.views] == [0.0, 180.0]
    assert np.array_equal(np.asarray(Image.open(folder / written.views[1].rgb)), outcome.rgb[1])
    assert np.array_equal(np.asarray(Image.open(folder / written.views[1].opacity)), outcome.opacity[1])


def test_scene_is_written_to_the_bit(store: RunStore, cell: Cell, prior: Prior) -> None:
    outcome = run_cell(cell, prior)
    store.write(outcome)
    scene = load_file(store.cell_folder(cell) / "scene.safetensors")
    assert scene.keys() == outcome.scene.keys()
    assert all((scene[name] == outcome.scene[name]).all() for name in scene)


def test_a_finished_record_is_never_overwritten(store: RunStore, outcome: Outcome) -> None:
    store.write(outcome)
    path = store.cell_folder(outcome.record.cell) / "record.json"
    before = path.read_bytes()
    store.write(Outcome(outcome.record.model_copy(update={"steps_done": 7}), [], [], outcome.rgb, outcome.opacity, {}))
    assert path.read_bytes() == before


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def half() -> None:
        with new_folder(tmp_path / "cells" / "a") as folder:
            (folder / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert list((tmp_path / "cells").iterdir()) == []


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "file", "one")
    write_atomically(tmp_path / "a" / "file", "two")
    assert (tmp_path / "a" / "file").read_text() == "two"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


def _truncate(folder: Path) -> None:
    path = folder / "record.json"
    path.write_text(path.read_text()[:100])


def _change(**fields: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "record.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return change


def _change_cell(folder: Path) -> None:
    fields = json.loads((folder / "record.json").read_text())
    fields["cell"]["seed"] = 5
    (folder / "record.json").write_text(json.dumps(fields))


CORRUPTIONS = {
    "cut short": (_truncate, "corrupt record: Invalid JSON: EOF"),
    "no record.json": (lambda folder: (folder / "record.json").unlink(), "corrupt record .FileNotFoundError"),
    "other version": (_change(format_version=99), "format_version = 99: this code reads 2"),
    "not a record": (lambda folder: (folder / "record.json").write_text("[]"), "corrupt record .TypeError"),
    "wrong field": (_change(steps_done=-1), "corrupt record: steps_done: Input should be greater"),
    "unknown field": (_change(colour="red"), "corrupt record: colour: Extra inputs"),
    "other identity": (_change(identity="0" * 64), "corrupt record: identity = 000000000000…: not its cell's"),
    "other cell": (_change_cell, "corrupt record: identity"),
    "missing view": (lambda folder: (folder / "views/rgb_001.png").unlink(), "rgb_001.png: corrupt record: missing"),
    "cut view": (lambda folder: (folder / "views/rgb_001.png").write_bytes(b"x"), "rgb_001.png: corrupt record"),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corrupt_record_is_told_and_left_alone(store: RunStore, outcome: Outcome, name: str) -> None:
    corrupt, message = CORRUPTIONS[name]
    store.write(outcome)
    folder = store.cell_folder(outcome.record.cell)
    corrupt(folder)
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError, match=message):
        read_record(folder, outcome.record.identity)
    assert sorted(folder.rglob("*")) == before


def test_a_run_folder_holds_one_study(store: RunStore, study: Study) -> None:
    store.open(study)
    store.open(study.model_copy(update={"title": "Another title", "threads": 3}))
    assert store.read_study().title == "Another title"
    with pytest.raises(InputError, match=r"holds another study .tiny, .*; give another folder with --out"):
        store.open(study.narrowed(steps=3))
    assert store.read_study().steps == 4


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, study: Study) -> None:
    (tmp_path / "photos").mkdir()
    RunStore(tmp_path / "photos").check(study)  # empty: it can become one
    (tmp_path / "photos" / "me.jpg").touch()
    for path in (tmp_path / "photos", tmp_path / "photos" / "me.jpg"):
        with pytest.raises(InputError, match="is no run folder"):
            RunStore(path).open(study)


def test_a_study_file_that_cannot_be_read_is_told(store: RunStore, study: Study) -> None:
    store.open(study)
    (store.folder / "study.json").write_text("{")
    with pytest.raises(InputError, match=r"study.json: cannot be read"):
        store.check(study)


def test_setting_aside_makes_a_cell_missing_and_keeps_its_record(
    store: RunStore, outcome: Outcome, study: Study
) -> None:
    cell = expand(study)[0]
    store.write(outcome)
    store.set_aside(cell)
    assert store.read(cell) is None
    [kept] = (store.folder / "set-aside").iterdir()
    assert (kept / "record.json").is_file()

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

import bench
from bench.cells.run_cell import run_cell
from bench.errors import InputError
from bench.records.attempts import Attempts
from bench.records.outcome import Images, Outcome, SnapshotImages
from bench.records.read_record import read_events, read_record
from bench.records.record import Record
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study
from bench.watch.divergence import Status
from bench.watch.environment import Environment
from bench.watch.telemetry import Event, Memory, PhaseSeconds
from methods.contracts import Prior

ROOT = Path(bench.__file__).parents[1]
GOLDEN = Path(__file__).parents[2] / "golden"


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
        step=0, loss=None, regularisation=0.5, timestep=10.0, log_snr=4.5, opacity=0.25, seconds=2.0, unet_calls=1,
        unet_rows=2, diagnostics={"error": 0.125},
    )  # fmt: skip
    rgb = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    return Outcome(record, [event], Images([0.0, 180.0], rgb, rgb[..., 0]), {})


def test_record_is_written_as_documented(store: RunStore, outcome: Outcome, golden: Callable[[str, str], None]) -> None:
    store.write(outcome)
    folder = store.cell_folder(outcome.record.cell)
    fields = json.loads((folder / "record.json").read_text())
    fields["seconds"]["write"] = 0.0  # the one value that only a clock knows
    for name in ("file_bytes", "file_sha256"):
        fields[name] = sorted(fields[name])  # zlib's output differs between machines
    assert len(fields["record_sha256"]) == 64
    fields["record_sha256"] = "of all of this"
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
    assert np.array_equal(np.asarray(Image.open(folder / written.views[1].rgb)), outcome.images.rgb[1])
    assert np.array_equal(np.asarray(Image.open(folder / written.views[1].opacity)), outcome.images.opacity[1])


def test_what_was_written_on_the_way_is_part_of_the_writing(store: RunStore, outcome: Outcome) -> None:
    seconds = outcome.record.seconds.model_copy(update={"write": 100.0})
    record = outcome.record.model_copy(update={"seconds": seconds})
    assert store.write(dataclasses.replace(outcome, record=record)).seconds.write > 100.0


def test_normals_and_snapshots_are_written_with_the_views(store: RunStore, outcome: Outcome) -> None:
    rgb = outcome.images.rgb
    on_the_way = Images([90.0], 255 - rgb[:1], outcome.images.opacity[:1], rgb[1:])
    seen = dataclasses.replace(
        outcome,
        images=dataclasses.replace(outcome.images, normals=rgb // 2),
        snapshots=(SnapshotImages(step=50, seconds=1.5, images=on_the_way),),
    )
    written = store.write(seen)
    assert store.read(outcome.record.cell) == written
    folder = store.cell_folder(outcome.record.cell)
    assert [view.normals for view in written.views] == ["views/normal_000.png", "views/normal_001.png"]
    assert np.array_equal(np.asarray(Image.open(folder / "views/normal_001.png")), seen.images.normals[1])
    [snapshot] = written.snapshots
    assert (snapshot.step, snapshot.seconds) == (50, 1.5)
    [view] = snapshot.views
    assert (view.azimuth_deg, view.rgb) == (90.0, "snapshots/000050/rgb_000.png")
    for name, kind in (("rgb", view.rgb), ("opacity", view.opacity), ("normals", view.normals)):
        assert np.array_equal(np.asarray(Image.open(folder / kind)), getattr(on_the_way, name)[0])
        assert kind in written.file_bytes


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
    store.write(Outcome(outcome.record.model_copy(update={"steps_done": 7}), [], outcome.images, {}))
    assert path.read_bytes() == before


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


def _link(name: str) -> Callable[[Path], None]:
    """The same content, but elsewhere."""

    def link(folder: Path) -> None:
        moved = (folder / name).rename(folder.parent.parent.parent / "elsewhere")
        (folder / name).symlink_to(moved)

    return link


CORRUPTIONS = {
    "cut short": (_truncate, "corrupt record: Invalid JSON: EOF"),
    "no record.json": (lambda folder: (folder / "record.json").unlink(), "corrupt record .FileNotFoundError"),
    "other version": (
        _change(format_version=99),
        "format_version = 99, right is 3: .* a later version",
    ),
    "not a record": (lambda folder: (folder / "record.json").write_text("[]"), "corrupt record .TypeError"),
    "wrong field": (_change(steps_done=-1), "corrupt record: steps_done: Input should be greater"),
    "unknown field": (_change(colour="red"), "corrupt record: colour: Extra inputs"),
    "other identity": (_change(identity="0" * 64), "corrupt record: identity = 000000000000…: not its cell's"),
    "other cell": (_change_cell, "corrupt record: identity"),
    "missing view": (lambda folder: (folder / "views/rgb_001.png").unlink(), "rgb_001.png: corrupt record: missing"),
    "a path out of the folder": (_change(file_bytes={"../../x": 1}), "corrupt record: file_bytes.../../x"),
    "an absolute path": (_change(file_bytes={"/etc/passwd": 1}), "corrupt record: file_bytes./etc/passwd"),
    "a view out of the folder": (_change(views=[{"azimuth_deg": 0.0, "rgb": "../x", "opacity": "y"}]), "views.0.rgb"),
    "a view without a size": (_change(file_bytes={}), "opacity_000.png is not in file_bytes"),
    "a link for a view": (_link("views/rgb_000.png"), "rgb_000.png: corrupt record: missing"),
    "a link for a folder": (_link("views"), "views: corrupt record: is a link"),
    "a link for a record": (_link("."), "corrupt record: is a link"),
    "cut view": (lambda folder: (folder / "views/rgb_001.png").write_bytes(b"x"), "rgb_001.png: corrupt record"),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corrupt_record_is_reported_and_left_alone(store: RunStore, outcome: Outcome, name: str) -> None:
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
        store.open(study.narrow(steps=3))
    assert store.read_study().steps == 4


def test_a_folder_without_a_run_is_refused(tmp_path: Path, study: Study) -> None:
    (tmp_path / "photos").mkdir()
    RunStore(tmp_path / "photos").check(study)  # empty: it can become one
    (tmp_path / "photos" / "me.jpg").touch()
    for path in (tmp_path / "photos", tmp_path / "photos" / "me.jpg"):
        with pytest.raises(InputError, match="is not a run folder"):
            RunStore(path).open(study)


def test_a_study_file_that_cannot_be_read_is_reported(store: RunStore, study: Study) -> None:
    store.open(study)
    (store.folder / "study.json").write_text("{")
    with pytest.raises(InputError, match=r"study.json: cannot be read"):
        store.check(study)


def test_setting_aside_makes_a_cell_missing_and_keeps_its_record(
    store: RunStore, outcome: Outcome, study: Study
) -> None:
    cell = expand(study)[0]
    store.write(outcome)
    store.set_aside(store.cell_folder(cell))
    assert store.read(cell) is None
    [kept] = (store.folder / "set-aside").iterdir()
    assert (kept / "record.json").is_file()


def test_hashes_are_those_of_the_files(store: RunStore, outcome: Outcome) -> None:
    record = store.write(outcome)
    folder = store.cell_folder(record.cell)
    assert record.file_sha256.keys() == record.file_bytes.keys()
    assert {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in record.file_sha256} == (
        record.file_sha256
    )


def test_a_record_of_an_earlier_version_is_distinguished_from_a_corrupt_one(store: RunStore, outcome: Outcome) -> None:
    store.write(outcome)
    folder = store.cell_folder(outcome.record.cell)
    (folder / "record.json").write_text((GOLDEN / "bench" / "record_v2.json").read_text())
    with pytest.raises(
        InputError, match="format_version = 2, right is 3: the record is of an earlier version"
    ) as error:
        store.read(outcome.record.cell)
    assert "corrupt" not in str(error.value)


def test_a_run_of_an_earlier_version_is_named(store: RunStore, study: Study) -> None:
    store.open(study)
    fields = json.loads((store.folder / "study.json").read_text()) | {"prior": "toybox"}
    (store.folder / "study.json").write_text(json.dumps(fields))
    with pytest.raises(InputError, match="the run is of an earlier version of sdi-bench; read it with that version"):
        store.check(study)


def test_a_record_is_known_by_its_folder(store: RunStore, outcome: Outcome) -> None:
    store.write(outcome)
    [folder] = store.record_folders()
    assert read_record(folder) == store.read(outcome.record.cell)
    other = folder.rename(folder.parent / "sds--red-duck--s0--0123456789ab")
    with pytest.raises(InputError, match="not its cell's"):
        read_record(other)


def test_old_leftovers_go_and_young_ones_stay_when_a_run_begins(store: RunStore, study: Study) -> None:
    store.open(study)
    (store.folder / "truth").mkdir()
    old, young = store.folder / "truth" / ".partial-a-x", store.folder / ".partial-b-x"
    old.mkdir()
    young.touch()
    os.utime(old, (0, 0))
    store.open(study)
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize(
    "name", ["cells", "scores", "truth", "report", "claims", "checkpoints", "set-aside", "cells/a"]
)
def test_a_run_folder_with_a_link_out_of_it_is_refused(
    store: RunStore, study: Study, tmp_path: Path, name: str
) -> None:
    store.open(study)
    outside = tmp_path / "outside"
    outside.mkdir()
    (store.folder / name).parent.mkdir(exist_ok=True)
    (store.folder / name).symlink_to(outside)
    with pytest.raises(InputError, match=r"is a link out of the run folder, to .*outside"):
        store.check(study)
    (store.folder / name).unlink()
    (store.folder / "kept").mkdir()
    (store.folder / name).symlink_to(store.folder / "kept")
    store.check(study)


def test_a_link_to_a_whole_run_is_a_run(store: RunStore, study: Study, tmp_path: Path) -> None:
    store.open(study)
    (tmp_path / "short").symlink_to(store.folder)
    RunStore(tmp_path / "short").check(study)


def test_corrupt_events_are_reported(store: RunStore, outcome: Outcome) -> None:
    store.write(outcome)
    folder = store.cell_folder(outcome.record.cell)
    (folder / "events.jsonl").write_text("{}")
    with pytest.raises(InputError, match=r"events.jsonl: corrupt record"):
        read_events(folder)


def test_records_read_together_share_what_is_alike_and_leave_out_hashes(study: Study, finished: RunStore) -> None:
    cells = expand(study)
    finished.set_aside(finished.cell_folder(cells[1]))
    one, *_, last = found = finished.read_all(cells)
    assert [record.cell for record in found] == [cells[0], *cells[2:]]
    assert one.environment is last.environment
    assert one.views is last.views
    for record in found:
        alone = finished.read(record.cell)
        assert alone.file_sha256
        sizes = {"images": sum(size for name, size in alone.file_bytes.items() if name.startswith("views/"))}
        sizes |= {name: size for name, size in alone.file_bytes.items() if "/" not in name}
        assert record == alone.model_copy(update={"file_sha256": {}, "file_bytes": sizes})
        assert sum(record.file_bytes.values()) == sum(alone.file_bytes.values())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows locks files otherwise")
def test_tidying_removes_what_only_unfinished_cells_need(store: RunStore, outcome: Outcome, study: Study) -> None:
    done, missing = expand(study)[:2]
    store.write(outcome)
    for cell in (done, missing):
        store.attempts(cell).write(Attempts(count=1))
        store.checkpoint(cell, study).save({})
    store.tidy()
    assert not store.attempts(done).path.exists()
    assert not store.checkpoint(done, study).path.exists()
    assert store.attempts(missing).read().count == 1
    assert store.checkpoint(missing, study).load() == {}
    assert store.finished() == {done.folder_name}


def test_a_folder_whose_first_file_was_never_whole_can_become_a_run(store: RunStore, study: Study) -> None:
    store.folder.mkdir()
    (store.folder / ".partial-abc").write_text("{")
    opened = store.open(study)
    assert store.read_study() == opened

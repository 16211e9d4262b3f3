from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from bench.cells.run_cell import run_cell
from bench.cli import main
from bench.commands.run import run_study
from bench.errors import InputError, StorageError
from bench.exports.mesh import export_mesh
from bench.records.atomic import new_file, new_folder, write_atomically
from bench.records.checkpoint import Checkpoint
from bench.records.read_record import read_events, read_record
from bench.records.reading import read_png, refusals
from bench.records.store import RunStore
from bench.scores.event_table import event_table
from bench.scores.tables import read_frame
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study
from methods.contracts import Prior
from methods.priors.pipeline.patch_codec import PatchCodec
from methods.weights import WeightsError, read_card, write_card, write_tensors
from reports.frames import SCORES


@pytest.fixture(params=[0o022, 0o002, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def _modes(folder: Path, umask: int) -> dict[str, int]:
    """Permissions below a folder that are not those of the umask."""
    wanted = {True: 0o777 & ~umask, False: 0o666 & ~umask}
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    return {str(path): mode for path, mode in found.items() if mode != wanted[path.is_dir()]}


def test_every_file_of_a_run_follows_the_umask(study: Study, tmp_path: Path, umask: int, cell: Cell) -> None:
    file = tmp_path / "tiny.toml"
    short = f"checkpoint_steps = 1\n{file.read_text()}"
    file.write_text(short.replace('metrics = ["ground_truth"]', 'metrics = ["ground_truth"]\ncontrols = ["blank"]'))
    run = tmp_path / "run"
    assert main(["benchmark", str(file), "--out", str(run), "--prompts", "blue-duck"]) == 0
    assert main(["export", str(next(run.glob("cells/*"))), "--mesh", str(run / "a.glb"), "--resolution", "8"]) == 0
    assert main(["merge", str(run), "--out", str(tmp_path / "copy")]) == 0
    assert {path.name for path in run.glob("*")} > {"cells", "controls", "truth", "report", "scores.parquet"}
    assert _modes(run, umask) == {}
    assert _modes(tmp_path / "copy", umask) == {}
    RunStore(run).checkpoint(cell, study).save({"x": torch.zeros(2)})
    assert _modes(run, umask) == {}


def test_every_writer_of_weights_follows_the_umask(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "weights"
    write_tensors({"x": torch.zeros(2)}, folder / "model.safetensors")
    PatchCodec(1, torch.zeros(3), torch.eye(3), torch.ones(3)).save(folder / "vae")
    write_card(folder, name="x")
    with new_folder(folder / "a" / "b") as inner:
        (inner / "x").touch()
    with new_file(folder / "c") as file:
        file.touch()
    assert _modes(folder, umask) == {}


def _fresh_events(store: RunStore, cell: Cell) -> None:
    record = store.read(cell)
    (store.folder / "events.parquet").unlink(missing_ok=True)
    assert record is not None
    event_table([record], store)


UNREADABLE: dict[str, tuple[str, Callable[[RunStore, Cell], object]]] = {
    "record": ("record.json", lambda store, cell: store.read(cell)),
    "record by its folder": ("record.json", lambda store, cell: read_record(store.cell_folder(cell))),
    "events": ("events.jsonl", lambda store, cell: read_events(store.cell_folder(cell))),
    "event table": ("events.jsonl", _fresh_events),
    "image": ("views/rgb_000.png", lambda store, cell: read_png(store.cell_folder(cell) / "views/rgb_000.png")),
    "scene": ("scene.safetensors", lambda store, cell: export_mesh(store.cell_folder(cell), store.folder / "a.glb")),
    "folder": ("views", lambda store, cell: store.read(cell)),
    "study": ("../../study.json", lambda store, cell: store.read_study()),
    "scores": ("../../scores.parquet", lambda store, cell: read_frame(store.folder / "scores.parquet", SCORES)),
}


@pytest.mark.usefixtures("permissions_hold")
@pytest.mark.parametrize("name", UNREADABLE)
def test_what_may_not_be_read_is_unreadable_and_not_corrupt(study: Study, finished: RunStore, name: str) -> None:
    file, read = UNREADABLE[name]
    cell = expand(study)[0]
    path = finished.cell_folder(cell) / file
    mode = path.stat().st_mode
    path.chmod(0)
    with pytest.raises(StorageError, match=r"cannot be read .Permission denied.*chmod") as caught:
        read(finished, cell)
    assert "corrupt" not in str(caught.value)
    assert path.name in str(caught.value)
    path.chmod(mode)
    read(finished, cell)


@pytest.mark.usefixtures("permissions_hold")
@pytest.mark.parametrize("file", ["scene.safetensors", "record.json", "views/rgb_000.png", "events.jsonl"])
def test_verify_names_what_it_may_not_read_and_moves_nothing(
    study: Study, finished: RunStore, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    path = finished.cell_folder(expand(study)[0]) / file
    path.chmod(0)
    assert main(["verify", str(finished.folder), "--redo"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("unreadable: ") and str(path) in line]
    assert not [line for line in lines if line.startswith(("corrupt: ", "set aside: "))]
    assert not (finished.folder / "set-aside").exists()
    path.chmod(0o644)
    assert main(["verify", str(finished.folder)]) == 0


@pytest.mark.usefixtures("permissions_hold")
def test_merge_leaves_out_what_it_may_not_read(
    study: Study, finished: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = finished.cell_folder(expand(study)[0]) / "scene.safetensors"
    path.chmod(0)
    assert main(["merge", str(finished.folder), "--out", str(tmp_path / "all")]) == 1
    out = capsys.readouterr().out
    assert f"left out: {path}: cannot be read (Permission denied)" in out
    assert "corrupt" not in out


@pytest.mark.usefixtures("permissions_hold")
def test_a_checkpoint_that_may_not_be_read_stops_the_run_and_is_kept(
    study: Study, tmp_path: Path, console, prior: Prior
) -> None:
    store = RunStore(tmp_path / "run")
    store.open(study)
    cell = expand(study)[0]
    checkpoint = store.checkpoint(cell, study)
    run_cell(cell, prior, checkpoint=Checkpoint(checkpoint.path, cell.identity, 0.0))
    before = checkpoint.path.read_bytes()
    checkpoint.path.chmod(0)
    with pytest.raises(StorageError, match=r"safetensors: cannot be read .Permission denied"):
        run_study(study, store, console)
    assert not store.has(cell)
    checkpoint.path.chmod(0o644)
    assert checkpoint.path.read_bytes() == before


@pytest.mark.usefixtures("permissions_hold")
def test_a_card_of_weights_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    write_card(tmp_path, name="x")
    (tmp_path / "card.json").chmod(0)
    with pytest.raises(WeightsError, match=r"card.json: cannot be read .Permission denied"):
        read_card(tmp_path)


def test_a_missing_or_wrong_file_is_for_the_reader_to_judge(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path, tmp_path / "file" / "below"):
        (tmp_path / "file").touch()
        with pytest.raises(OSError, match=r"No such file|directory"), refusals(path):
            path.read_bytes()
    write_atomically(tmp_path / "x.png", "x")
    with pytest.raises(InputError, match="cannot be read as an image") as caught:
        read_png(tmp_path / "x.png")
    assert not isinstance(caught.value, StorageError)

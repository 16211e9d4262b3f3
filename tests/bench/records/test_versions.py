from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, safe_open, save_file

from bench.cells.run_cell import run_cell
from bench.cli import main
from bench.commands.run import run_study
from bench.errors import VersionError
from bench.records.checkpoint import Checkpoint
from bench.records.record import FORMAT_VERSION
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.study import Study
from methods.contracts import Prior
from methods.weights import WeightsError, read_card, reverify_weights, write_card

LATER = "is of a later version of sdi-bench.* update this program"


def _change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields, indent=2))


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, "4.0", FORMAT_VERSION - 1])
def test_a_record_of_another_version_is_no_damage_and_stays_where_it_is(
    study: Study, finished: RunStore, capsys: pytest.CaptureFixture[str], tmp_path: Path, version: object
) -> None:
    folder = finished.cell_folder(expand(study)[0])
    _change(folder / "record.json", format_version=version, new_field={"a": 1})
    before = (folder / "record.json").read_bytes()
    advice = "read it with that version" if version == FORMAT_VERSION - 1 else "update this program"
    assert main(["verify", str(finished.folder), "--redo", "--rescore", "0"]) == 1
    out = capsys.readouterr().out
    [line] = [line for line in out.splitlines() if str(folder) in line]
    assert line.startswith("version: ")
    assert advice in line
    assert "corrupt" not in line
    assert "set aside" not in out
    for command in (["run", str(finished.folder)], ["score", str(finished.folder)], ["report", str(finished.folder)]):
        assert main(command) == 2, command
        error = capsys.readouterr().err
        assert advice in error
        assert error.count("\n") == 1
    assert main(["merge", str(finished.folder), "--out", str(tmp_path / "all")]) == 1
    assert advice in capsys.readouterr().out
    assert (folder / "record.json").read_bytes() == before
    assert not (finished.folder / "set-aside").exists()


def test_a_study_of_a_later_version_is_reported(
    finished: RunStore, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = finished.folder / "study.json"
    assert json.loads(path.read_text())["format_version"] == FORMAT_VERSION
    _change(path, format_version=FORMAT_VERSION + 1, unknown_key=1)
    run = str(finished.folder)
    for command in (
        ["run", run],
        ["verify", run, "--redo"],
        ["compare", run, run],
        ["merge", run, "--out", str(tmp_path / "b")],
    ):
        assert main(command) == 2, command
        error = capsys.readouterr().err
        assert f"study.json: format_version = {FORMAT_VERSION + 1}, right is {FORMAT_VERSION}" in error
        assert "update this program" in error
    assert not (finished.folder / "set-aside").exists()


def test_a_study_without_a_version_is_of_this_one(finished: RunStore) -> None:
    study = finished.read_study()
    path = finished.folder / "study.json"
    fields = json.loads(path.read_text())
    del fields["format_version"]
    path.write_text(json.dumps(fields))
    assert finished.read_study() == study


@pytest.fixture
def later_checkpoint(study: Study, prior: Prior, tmp_path: Path) -> Checkpoint:
    store = RunStore(tmp_path / "run")
    store.open(study)
    cell = expand(study)[0]
    checkpoint = store.checkpoint(cell, study)
    run_cell(cell, prior, checkpoint=Checkpoint(checkpoint.path, cell.identity, 0.0))
    with safe_open(checkpoint.path, framework="pt") as file:
        about = file.metadata()
    save_file(load_file(checkpoint.path), checkpoint.path, metadata=about | {"format": "5"})
    return checkpoint


def test_a_checkpoint_of_a_later_version_stops_the_run_and_is_kept(
    study: Study, later_checkpoint: Checkpoint, tmp_path: Path, console, capsys: pytest.CaptureFixture[str]
) -> None:
    before = later_checkpoint.path.read_bytes()
    with pytest.raises(VersionError, match=rf"format = 5, right is 4: .*{LATER}"):
        run_study(study, RunStore(tmp_path / "run"), console)
    assert main(["verify", str(tmp_path / "run"), "--redo"]) == 1
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("version: ") and "checkpoints" in line]
    assert "set aside" not in out
    assert later_checkpoint.path.read_bytes() == before
    assert not list((tmp_path / "run").glob("cells/*"))


def test_a_card_of_a_later_version_is_reported(tmp_path: Path) -> None:
    write_card(tmp_path, name="x")
    _change(tmp_path / "card.json", format_version=2, files=["another form"])
    for read in (read_card, reverify_weights):
        with pytest.raises(WeightsError, match=r"card.json: format_version = 2, right is 1: .*update this program"):
            read(tmp_path)
    _change(tmp_path / "card.json", format_version=1, files={})
    assert read_card(tmp_path)["name"] == "x"

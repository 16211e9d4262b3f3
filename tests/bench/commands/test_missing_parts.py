"""A finished run that is read where the package of one of its parts is not installed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench.cli import main
from bench.errors import InputError
from bench.records.store import RunStore
from bench.records.study_cells import study_cells
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study
from methods.distillation import methods
from methods.registry import Registry
from methods.scenes import scenes
from metrics import metrics


class Part(NamedTuple):
    registry: Registry[Any]
    name: str


@pytest.fixture(
    params=[Part(methods, "sdi"), Part(scenes, "nerf"), Part(metrics, "ground_truth")], ids=lambda part: part.name
)
def part(request: pytest.FixtureRequest) -> Part:
    """A part of the run, with the registry that it is in."""
    assert request.param.name in request.param.registry
    return request.param


@pytest.fixture
def lacking(part: Part, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a part of the run that is not registered here."""
    monkeypatch.delitem(part.registry._found, part.name)
    return part.name


def test_tables_are_the_same(
    finished: RunStore, part: Part, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["table", str(finished.folder), "--format", "json"]
    assert main(command) == 0
    before = json.loads(capsys.readouterr().out)
    monkeypatch.delitem(part.registry._found, part.name)
    assert main(command) == 0
    after = json.loads(capsys.readouterr().out)
    assert after["rows"] == before["rows"]
    assert any(part.name in line and "read from the records" in line for line in after["caption"])


def test_the_report_is_written(finished: RunStore, part: Part, lacking: str) -> None:
    assert main(["report", str(finished.folder)]) == 0
    page = (finished.folder / "report" / "index.html").read_text()
    assert f"unknown {part.registry.kind} &#39;{part.name}&#39;" in page


def test_it_is_scored_if_the_metrics_are_here(
    finished: RunStore, lacking: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["score", str(finished.folder)])
    captured = capsys.readouterr()
    assert status == (2 if lacking == "ground_truth" else 0)
    assert lacking in captured.out + captured.err


@pytest.mark.parametrize("command", ["run", "verify"])
def test_what_needs_every_part_is_refused_in_one_line(
    finished: RunStore, lacking: str, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, str(finished.folder)]) == 2
    error = capsys.readouterr().err
    assert lacking in error
    assert error.count("\n") == 1


def test_a_study_that_is_not_of_a_run_is_refused(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RunStore(tmp_path)
    assert study_cells(study, store) == (expand(study), "")
    monkeypatch.delitem(methods._found, "sdi")
    with pytest.raises(InputError, match="unknown method 'sdi'"):
        study_cells(study, store)


def test_records_of_other_cells_are_left_out(
    finished: RunStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as those of another number of steps, which an earlier study left, and those that cannot be read."""
    study = finished.read_study()
    cells = expand(study)
    with monkeypatch.context() as patch:
        patch.delitem(methods._found, "sdi")
        assert study_cells(study, finished).cells == cells
    record = finished.read(cells[0])
    assert record is not None
    other = record.cell.model_copy(update={"steps": 6})
    foreign = record.model_copy(update={"cell": other, "identity": other.identity, "started_at": "2099-01-01T00:00:00"})
    folder = Path(shutil.copytree(finished.cell_folder(cells[0]), finished.cell_folder(other)))
    (folder / "record.json").write_text(foreign.model_dump_json())
    damaged = folder.with_name("sds--pink-cat--s0--0123456789ab")
    damaged.mkdir()
    (damaged / "record.json").write_text("{")
    monkeypatch.delitem(methods._found, "sdi")
    assert study_cells(study, finished).cells == cells
    shutil.rmtree(folder)
    # of the arm whose part is missing the method, the prompt and the prior are known, of the others everything
    changes = (0, {"hyper_parameters": {"guidance_scale": 99.0}}), (1, {"prior_sha256": "0"}), (1, {"steps": 6})
    for at, change in changes:
        other = Cell(**{name: getattr(cells[at], name) for name in Cell.model_fields} | change)
        foreign = record.model_copy(update={"cell": other, "identity": other.identity, "started_at": "2099"})
        folder = Path(shutil.copytree(finished.cell_folder(cells[at]), finished.cell_folder(other)))
        (folder / "record.json").write_text(foreign.model_dump_json())
        assert study_cells(study, finished).cells == cells
        shutil.rmtree(folder)
    (finished.cell_folder(cells[0]) / "record.json").write_text("{")
    with pytest.raises(InputError, match="corrupt record"):
        study_cells(study, finished)

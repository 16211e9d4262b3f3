from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from foreign_renders import write_frames
from rich.console import Console

import bench.cells.run_cell
import bench.commands.run
import bench.engines.work
from bench.cells.evaluation import render_ring
from bench.cells.optimisation import Optimisation
from bench.cells.run_cell import run_cell
from bench.commands.report import report_study
from bench.commands.run import run_study
from bench.commands.score import score_study
from bench.commands.selection import Selection
from bench.engines import Engine, engines
from bench.engines.options import EngineOptions
from bench.errors import InputError, RunError
from bench.records.outcome import Images
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.readiness import NotInstalledError
from bench.study.resolve import cell_method
from bench.study.settings import PriorChoice
from bench.study.study import Study
from methods.registry import UnknownNameError
from methods.scenes.gaussians.rasterisers import gsplat
from methods.weights import WeightsError


def _output(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _white(loop: Optimisation, which: Sequence[int] | None = None) -> tuple[Images, float]:
    """The views of a cell as white images without an object."""
    images, opacity = render_ring(loop, which)
    return replace(images, rgb=np.full_like(images.rgb, 255), opacity=np.zeros_like(images.opacity)), opacity


def test_only_what_is_missing_is_run(study: Study, finished: RunStore, console: Console) -> None:
    cells = expand(study)
    before = {path: path.stat().st_mtime_ns for path in finished.folder.rglob("record.json")}
    finished.set_aside(finished.cell_folder(cells[2]))
    run_study(study, finished, console)
    assert "tiny: 4 cells, 3 done, 1 to run" in _output(console)
    assert "[1/1] sds · red-striped-car · seed 0: completed, " in _output(console)
    assert all(finished.read(cell) for cell in cells)
    kept = {path: time for path, time in before.items() if path.parent != finished.cell_folder(cells[2])}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_name_that_only_the_report_needs_is_refused_before_the_first_cell(
    study: Study, tmp_path: Path, console: Console
) -> None:
    store = RunStore(tmp_path / "run")
    with pytest.raises(InputError, match="tiny: published = 'tabel1': no such table; did you mean 'table1'"):
        run_study(study.model_copy(update={"published": ("tabel1",)}), store, console)
    assert not store.folder.exists()


def test_a_finished_run_does_nothing(study: Study, finished: RunStore, console: Console) -> None:
    run_study(study, finished, console)
    assert _output(console) == "tiny: 4 cells, 4 done, 0 to run\n"


def test_prompts_that_the_prior_does_not_read_are_named_before_the_first_cell(
    study: Study, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line for each kind; none once there is nothing to run."""
    (tmp_path / "mine.txt").write_text("a plate piled high with chocolate chip cookies\n")
    prior = study.prior.model_copy(update={"name": "toybox"})
    ours = study.model_copy(update={"prompts": str(tmp_path / "mine.txt"), "prompt_ids": None, "prior": prior})
    store = RunStore(tmp_path / "run")
    monkeypatch.setattr(
        "bench.commands.run.engines", {"local": lambda: SimpleNamespace(check=lambda *_: None, run=lambda *_: None)}
    )
    with pytest.raises(RunError, match="2 of 2 cells have no record"):
        run_study(ours, store, console)
    lines = _output(console).splitlines()
    order = (
        "tiny: 1 of 1 prompts are too long for the prior's text encoder",
        "tiny: 7 words in 1 of 1 prompts are unknown to the prior toybox",
        "tiny: 2 cells, 0 done, 2 to run",
    )
    assert [sum(line.startswith(words) for words in order) for line in lines] == [1, 1, 1]
    assert [line.startswith(words) for line, words in zip(lines, order, strict=True)] == [True] * 3


def test_failed_cells_are_run_again_on_request_only(
    study: Study, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path / "run")
    monkeypatch.setattr(
        bench.engines.work,
        "run_cell",
        lambda *given, **named: run_cell(*given, **named | {"time_limit_seconds": 1e-9}),
    )
    run_study(study, store, console)
    monkeypatch.undo()
    run_study(study, store, console)
    assert "timeout (TimeLimit: 1e-09 seconds ran out after 1 of 4 steps)" in _output(console)
    assert "4 cells, 4 done, 0 to run" in _output(console)
    cell = next(cell for cell in expand(study) if store.has(cell))
    line = (
        "tiny: 4 of 4 cells failed (4 timeout); why, with the traceback of an error, is in the record of each, such as "
        f"{store.cell_folder(cell) / 'record.json'}; sdibench run {store.folder} --retry-failed runs them again\n"
    )
    assert _output(console).count(line) == 2  # of the run that had them, and of the next
    run_study(study, store, console, retry_failed=True)
    assert _output(console).count("--retry-failed") == 2
    assert {record.status for cell in expand(study) if (record := store.read(cell))} == {"completed"}
    assert len(list((store.folder / "set-aside").iterdir())) == 4


@pytest.mark.parametrize(("folder", "named"), [("quick", "./quick"), ("mine", "mine"), ("runs/quick", "runs/quick")])
def test_lines_that_name_a_command_name_it_for_this_run(
    finished: RunStore, study: Study, console: Console, monkeypatch: pytest.MonkeyPatch, folder: str, named: str
) -> None:
    """Not for the shipped study of the folder's name."""
    monkeypatch.chdir(finished.folder.parent)
    store = RunStore(Path(shutil.copytree(finished.folder, folder)))
    path = min(store.folder.glob("cells/sdi--*/record.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "crashed", "record_sha256": None}))
    run_study(study, store, console)
    assert f"; sdibench run {named} --retry-failed runs them again\n" in _output(console)
    selected, found = Selection(named).resolve()
    assert (selected.name, found.folder) == (study.name, store.folder)
    (store.folder / "scores.parquet").unlink(missing_ok=True)
    with pytest.raises(InputError, match=rf"\(sdibench score {re.escape(named)}\)"):
        report_study(study, store)


def test_cells_of_an_edited_method_are_named_and_run_again_on_request_only(
    study: Study, finished: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_study(study, finished, console)
    assert "other code" not in _output(console)
    before = {cell.label: finished.read(cell).method_sha256 for cell in expand(study)}
    assert None not in before.values()
    edited = {"sdi": "e" * 64, "sds": before["sds"]}
    names = {type(cell_method(cell)): cell.label for cell in expand(study)}
    for module in (bench.commands.run, bench.cells.run_cell):
        monkeypatch.setattr(module, "method_sha256", lambda method: edited[names[type(method)]])
    run_study(study, finished, console)
    line = "2 finished cells are of other code of sdi than today's; they stay (--retry-changed runs them again)"
    assert line in _output(console)
    assert "4 cells, 4 done, 0 to run" in _output(console)
    run_study(study, finished, console, retry_changed=True)
    assert "4 cells, 2 done, 2 to run" in _output(console)
    assert {finished.read(cell).method_sha256 for cell in expand(study) if cell.label == "sdi"} == {"e" * 64}
    assert len(list((finished.folder / "set-aside").iterdir())) == 2
    run_study(study, finished, console, retry_changed=True)  # a second time there is nothing to do
    assert len(list((finished.folder / "set-aside").iterdir())) == 2


@pytest.mark.parametrize("moved", ["set aside by run", "moved away by hand"])
def test_what_was_made_of_a_former_record_is_made_again(
    study: Study, finished: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch, moved: str
) -> None:
    """The cell is the same and its images are not: neither scores nor meshes of the old ones may stay."""
    cell = expand(study)[0]
    before = report_study(study, finished).page.read_bytes()
    mesh = next(finished.folder.glob(f"meshes/{cell.folder_name}--*.glb"))
    mesh.write_bytes(b"old")
    if moved == "moved away by hand":
        shutil.rmtree(finished.cell_folder(cell))
    edited = {cell.label: "e" * 64}
    names = {type(cell_method(each)): each.label for each in expand(study)}
    for module in (bench.commands.run, bench.cells.run_cell):
        monkeypatch.setattr(module, "method_sha256", lambda method: edited.get(names[type(method)], "f" * 64))
    monkeypatch.setattr(bench.cells.run_cell, "render_ring", _white)
    run_study(study, finished, console, retry_changed=moved == "set aside by run")
    with pytest.raises(InputError, match=r"scores.parquet: is missing; score the run first"):
        report_study(study, finished)
    assert not (finished.folder / "report").exists()  # nobody takes it for one of the new records
    assert [path.read_bytes() for path in finished.folder.glob("set-aside/report--*/index.html")] == [before]
    record = finished.read(cell)
    assert record is not None
    assert record.attempts == 1  # nothing had gone wrong
    scores = score_study(study, finished, console)
    own = scores[(scores["cell"] == cell.identity) & (scores["metric"] == "iou")]["value"]
    assert (own == 0).all()  # of white images
    assert len(own) == 3
    assert report_study(study, finished).page.read_bytes() != before
    assert mesh.read_bytes() != b"old"


def test_an_interrupt_keeps_what_is_finished_and_leaves_no_half_record(
    study: Study, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path / "run")
    calls = []

    def interrupted(*given: object, **named: object) -> object:
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run_cell(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.engines.work, "run_cell", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_study(study, store, console)
    names = sorted(path.name for path in (store.folder / "cells").iterdir())
    assert names == sorted(cell.folder_name for cell in expand(study)[:2])


def test_a_corrupt_record_stops_the_run_before_any_work(study: Study, finished: RunStore, console: Console) -> None:
    cells = expand(study)
    finished.set_aside(finished.cell_folder(cells[0]))
    (finished.cell_folder(cells[3]) / "record.json").write_text("{")
    with pytest.raises(InputError, match="corrupt record"):
        run_study(study, finished, console)
    assert finished.read(cells[0]) is None


def test_an_engine_of_other_machines_is_given_what_this_one_cannot_run(
    study: Study, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a package that works with a GPU alone nor a GPU that SDIBENCH_DEVICE names is looked for here."""
    given = []
    monkeypatch.setattr(gsplat, "problem", lambda: "has no CUDA device here")

    class Mine(Engine):
        def run(self, study: Study, cells: Sequence[Cell], store: RunStore, options: EngineOptions) -> None:
            given.extend(cells)

    monkeypatch.setitem(engines._found, "mine", Mine)
    monkeypatch.setattr(bench.commands.run, "_check", lambda *_: None)
    study = study.model_copy(update={"scene": {"name": "gaussians", "count": 9, "rasteriser": "gsplat"}})
    with pytest.raises(NotInstalledError, match="has no CUDA device here"):
        run_study(study, RunStore(tmp_path / "run"), console)
    run_study(study, RunStore(tmp_path / "run"), console, engine="mine", budget_hours=24.0)
    assert len(given) == 4
    monkeypatch.setenv("SDIBENCH_DEVICE", "cuda:7")
    study = study.model_copy(update={"prior": PriorChoice(name="toybox")})
    run_study(study, RunStore(tmp_path / "toybox"), console, engine="mine", budget_hours=24.0)
    assert len(given) == 8
    study = study.model_copy(update={"scene": {"name": "latent"}})
    with pytest.raises(WeightsError, match="SDIBENCH_DEVICE = 'cuda:7': torch sees"):
        run_study(study, RunStore(tmp_path / "here"), console, budget_hours=24.0)


def test_nothing_is_imported_for_a_study_that_cannot_run_here(
    study: Study, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gsplat, "problem", lambda: "has no CUDA device here")
    write_frames(tmp_path / "mine" / study.chosen_prompts()[0].id)
    arm = {"renders": {"name": "frames", "folder": str(tmp_path / "mine")}}
    study = study.model_copy(
        update={
            "methods": {**study.methods, "mine": arm},
            "scene": {"name": "gaussians", "count": 9, "rasteriser": "gsplat"},
        }
    )
    with pytest.raises(NotInstalledError):
        run_study(study, RunStore(tmp_path / "run"), console)
    assert not (tmp_path / "run").exists()


def test_an_unknown_engine_is_told(study: Study, tmp_path: Path, console: Console) -> None:
    with pytest.raises(UnknownNameError, match="unknown engine 'locl': did you mean local"):
        run_study(study, RunStore(tmp_path / "run"), console, engine="locl")
    assert not (tmp_path / "run").exists()

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, version
from pathlib import Path

import pytest

import bench.cells.run_cell
import bench.engines.work
from bench.cli import main
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study, load_study
from methods.distillation import methods
from metrics.suites import find_suite


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _edit(old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "tiny.toml"
        path.write_text(path.read_text().replace(old, new))

    return edit


def _corrupt(folder: Path) -> None:
    next((folder / "run" / "cells").glob("sdi--*")).joinpath("record.json").write_text("{")


def _nothing(folder: Path) -> None: ...


BAD = {
    "unknown method": (_edit("[methods.sdi]", "[methods.sdii]"), "run tiny.toml",
        "unknown method 'sdii': did you mean sdi"),
    "method not in the study": (_nothing, "run tiny.toml --methods sdd", "unknown method 'sdd' in the study tiny"),
    "unknown prompt set": (_edit('"toybox"', '"toybix"'), "run tiny.toml", "did you mean toybox"),
    "unknown prompt": (_nothing, "run tiny.toml --prompts blue-dick", "blue-duck"),
    "unknown metric": (_edit("ground_truth", "clip_scor"), "run tiny.toml",
        "unknown metric 'clip_scor': did you mean clip_score"),
    "unknown prior": (_edit('"gaussian"', '"gaussain"'), "run tiny.toml",
        "unknown prior 'gaussain': did you mean gaussian"),
    "unknown study": (_nothing, "run quik", "unknown study 'quik': did you mean quick"),
    "malformed file": (_edit("samples = 14", "samples ="), "run tiny.toml", "tiny.toml: is not valid TOML"),
    "unknown key": (_edit("steps", "stesp"), "run tiny.toml", "tiny.toml: unknown key 'stesp': did you mean steps"),
    "wrong value": (_edit("views = 3", 'views = "3"'), "run tiny.toml",
        "evaluation.views = '3': input should be a valid integer"),
    "negative steps in the file": (_edit("steps = 4", "steps = -4"), "run tiny.toml",
        "tiny.toml: steps = -4: input should be greater"),
    "negative steps": (_nothing, "run tiny.toml --steps -4", "steps = -4: input should be greater than or equal to 1"),
    "another study there": (_nothing, "run tiny.toml --steps 3 --out run", "run: holds another study (tiny, "),
    "no run folder": (_nothing, "score .", "unknown study '.'"),
    **{f"nothing there: {command}": (_nothing, command, f"{path}: there is no such {what}") for command, path, what in (
        ("plan none.toml", "none.toml", "file"),
        ("score ./none", "./none", "folder"),
        ("report runs/none", "runs/none", "folder"),
        ("run ~none/run", "~none/run", "folder"),
        ("verify none", "none", "folder"),
        ("merge none tiny --out whole", "none", "folder"),
        ("compare none none", "none", "folder"),
        ("export none --mesh a.glb", "none", "folder"),
        ("fetch sd21 --from none", "none", "folder"),
    )},
    "prior of nothing": (_edit('"gaussian"', '"./none"'), "run tiny.toml", "none: there is no such folder"),
    "prompts of nothing": (_edit('prompts = "toybox"', 'prompts = "none.txt"'), "run tiny.toml",
        "none.txt: there is no such file"),
    "extends of nothing": (_edit('title = "Tiny"', 'extends = "none.toml"'), "run tiny.toml",
        "none.toml: there is no such file"),
    "unknown suite": (_nothing, "score run --scorers toybix", "unknown suite of models 'toybix': did you mean toybox"),
    "suite of nothing": (_nothing, "score run --scorers none.toml", "none.toml: there is no such file; scorers is the"),
    "suite's file of nothing": (_edit('scorers = "toybox"', 'scorers = "none.toml"'), "run tiny.toml",
        "none.toml: there is no such file; scorers is the name of a suite, or its TOML file"),
    "other files there": (_nothing, "run tiny.toml --out .", "is not a run folder"),
    "corrupt record, run": (_corrupt, "run tiny.toml --out run", "record.json: corrupt record"),
    "corrupt record, score": (_corrupt, "score run", "record.json: corrupt record"),
    "corrupt record, report": (_corrupt, "report run", "record.json: corrupt record"),
    "nothing to report": (_nothing, "report tiny.toml --seeds 7", "has no records"),
    "no workers": (_nothing, "run tiny.toml --workers 0", "--workers = 0: must be above 0"),
    "no minutes": (_nothing, "run tiny.toml --slurm-minutes -5", "--slurm-minutes = -5: must be above 0"),
    "no number of gigabytes": (_nothing, "run tiny.toml --slurm-mem-gb nan", "--slurm-mem-gb = nan: must be a number"),
    "negative hours": (_nothing, "run tiny.toml --budget-hours -1", "--budget-hours = -1.0: must be at least 0"),
    "negative seed": (_nothing, "verify run --seed -1", "--seed = -1: must be at least 0"),
    "fewer than no cells": (_nothing, "verify run --rescore -1", "--rescore = -1: must be from 0 to"),
    "merge of nothing": (_nothing, "merge --out whole", "merge: give at least one run folder to copy from"),
    "merge of itself": (_nothing, "merge whole --out whole", "merge: give at least one run folder to copy from"),
    "no command": (_nothing, "", "give a command: plan, run, score, "),
    "unknown command": (_nothing, "runn tiny.toml", "unknown command 'runn' in place of a command: did you mean run?"),
    "option in place of a command": (_nothing, "--out run tiny.toml", "unknown option '--out' in place of a command"),
    "unknown option": (_nothing, "run tiny.toml --stpes=3", "run: unknown option '--stpes': did you mean --steps"),
    "option of another command": (_nothing, "plan tiny.toml --yes", "plan: unknown option '--yes': known: --methods, "),
    "no study": (_nothing, "run", "run: missing: STR Name of a study, path of a study's TOML file, or a run folder"),
    "no folder to write": (_nothing, "merge run", "merge: missing: --out PATH Run folder to copy into"),
    "no value": (_nothing, "run tiny.toml --engine", "--engine: needs a value; see sdibench run --help"),
    "one word too many": (_nothing, "verify run other", "verify: 'other' is one too many; see sdibench verify --help"),
    "value of a flag": (_nothing, "run tiny.toml --yes=no", "run: 'no' is one too many"),
    "no whole number": (_nothing, "run tiny.toml --workers 1.5", "--workers = '1.5': must be a whole number"),
    "a word in place of a number": (_nothing, "plan tiny.toml --timing_seconds=x",
        "--timing-seconds = 'x': must be a number"),
    "a word among numbers": (_nothing, "run tiny.toml --seeds 1 a 2", "--seeds = 'a': must be a whole number"),
    "unknown kind": (_nothing, "list methodz", "kind = 'methodz': did you mean methods?"),
    "unknown tracker": (_nothing, "run tiny.toml --track x", "--track = 'x': known: mlflow, tensorboard, "),
    "over the budget": (_nothing, "run tiny.toml --budget-hours 1e-9",
        "CPU-hours on "),
    "unknown engine": (_nothing, "run tiny.toml --engine lokal", "unknown engine 'lokal': did you mean local"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_status_2(
    study_file: Path, finished: RunStore, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    spoil, command, message = BAD[name]
    folder = study_file.parent
    spoil(folder)
    before = _contents(folder)
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("sdibench: ")
    assert error.count("\n") == 1
    assert message in error
    assert _contents(folder) == before


def test_weights_that_are_not_the_cards_are_bad_input(
    study_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from methods.weights import write_card

    weights = tmp_path / "prior"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"weights")
    write_card(weights)
    (weights / "model.safetensors").write_bytes(b"other weights")
    _edit('prior = "gaussian"', 'prior = "prior"')(tmp_path)
    assert main(["run", "tiny.toml"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"sdibench: {weights}/model.safetensors: SHA-256 is ")
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_card_with_a_mistake_is_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sds.toml").write_text('title = "no paper"')
    monkeypatch.setattr("methods.card._CARDS", tmp_path)
    for command in (["show", "sds"], ["list", "methods"]):
        assert main(command) == 2
        assert capsys.readouterr().err == f"sdibench: {tmp_path}/sds.toml: paper: Field required\n"


def test_benchmark_runs_scores_and_reports(study_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "tiny.toml", "--prompts", "blue-duck"]) == 0
    output = capsys.readouterr().out
    name = load_study(study_file).narrow(prompt_ids=["blue-duck"]).name
    assert f"report: runs/{name}/report/index.html" in output
    assert "0.0 (0/1)" not in output  # a table for the terminal: n and notes are in the files
    assert "─" * 20 in output  # the line below the headings
    assert main(["table", f"runs/{name}", "--format", "markdown"]) == 0
    assert "| sdi | 0.0 (0/1) |" in capsys.readouterr().out
    assert (Path("runs") / name / "report" / "index.html").is_file()


def test_a_part_of_a_table_is_printed_and_nothing_is_written(
    finished: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _contents(finished.folder)
    arguments = ["table", "run", "--columns", "iou", "psnr", "--rows", "sdi", "sds", "--means-only"]
    assert main([*arguments, "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["sdi", "sds"]
    for other, words in (("markdown", "| Method | IoU % ↑ | PSNR dB ↑ |"), ("latex", r"\begin{table*}")):
        assert main([*arguments, "--format", other]) == 0
        assert words in capsys.readouterr().out
    assert main([*arguments]) == 0
    assert "PSNR" in capsys.readouterr().out
    assert main(["table", "run", "--table", "costs"]) == 2
    assert capsys.readouterr().err == "sdibench: --table costs: is no table of run: did you mean cost?\n"
    assert main(["table", "run", "--columns", "psrn"]) == 2
    assert "has no column 'psrn'; it has divergence, time, " in capsys.readouterr().err
    assert _contents(finished.folder) == before


def test_the_data_of_a_report_give_its_tables_without_the_run(
    finished: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "run"]) == 0
    data = Path(shutil.copytree(finished.folder / "report" / "data", tmp_path / "data"))
    for table in ("summary", "comparisons", "cost"):
        printed = []
        for folder in ("run", str(data)):
            capsys.readouterr()
            assert main(["table", folder, "--table", table, "--format", "json"]) == 0
            printed.append(capsys.readouterr().out)
        assert printed[0] == printed[1]
    cells = data / "cells.csv"
    cells.write_text("".join(cells.read_text().splitlines(keepends=True)[:-1]))
    assert main(["table", str(data)]) == 2
    line = (
        f"sdibench: {data}: cannot be read as the data of a report: cells.csv: has 3 whole rows or fewer, must have 4\n"
    )
    assert capsys.readouterr().err == line


def test_a_run_folder_stands_for_its_study(finished: RunStore, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("plan", "run", "score", "report"):
        assert main([command, "run"]) == 0
    assert "4 cells, 4 done, 0 to run" in capsys.readouterr().out


def test_a_run_has_the_metrics_that_it_was_last_scored_with(study_file: Path, finished: RunStore) -> None:
    _edit('["ground_truth"]', '["ground_truth", "detail"]')(study_file.parent)
    assert finished.read_study().metrics == ("ground_truth",)
    assert main(["score", "tiny.toml", "--out", "run"]) == 0
    assert finished.read_study().metrics == ("ground_truth", "detail")
    assert main(["table", "run", "--columns", "detail"]) == 0


def test_another_suite_scores_a_run_and_is_what_report_and_verify_read(
    finished: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = find_suite("toybox").folder("clip")
    Path("own.toml").write_text(f'note = "a note of mine"\n[clip]\nfolder = "{clip}"\n')
    study = finished.read_study().model_copy(update={"metrics": ("clip_score",)})
    finished.write_study(study)
    assert main(["score", "run", "--scorers", "own.toml"]) == 0
    assert finished.read_study() == study.model_copy(update={"scorers": str(Path("own.toml").absolute())})
    assert main(["report", "run"]) == 0
    page = (finished.folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "Scores are those of the suite own: a note of mine." in page
    assert f"pillow {version('pillow')}, torch {version('torch')}" in page
    assert main(["verify", "run"]) == 0
    Path("own.toml").unlink()
    capsys.readouterr()
    assert main(["score", "run"]) == 2
    assert "own.toml: there is no such file" in capsys.readouterr().err


def test_too_many_failures_are_one_line_and_status_1(study_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _edit("steps = 4", "steps = 4\ntime_limit_seconds = 1e-9")(study_file.parent)
    assert main(["run", "tiny.toml", "--fail-after", "2"]) == 1
    assert capsys.readouterr().err == (
        "sdibench: 2 of 2 cells failed (--fail-after 2), 2 were not finished; what the workers said is in "
        "runs/tiny/logs\n"
    )
    assert main(["run", "tiny.toml", "--fail-after", "3"]) == 0  # of its own cells, which are two


@pytest.mark.parametrize("command", ["run", "benchmark"])
def test_crashed_cells_are_status_1_and_the_others_are_kept(
    study_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    whole = bench.cells.run_cell.Optimisation

    def broken(cell: Cell, *given: object) -> object:
        if cell.label == "sdi":
            raise ValueError("boom")
        return whole(cell, *given)  # type: ignore[arg-type]

    monkeypatch.setattr("bench.cells.run_cell.Optimisation", broken)
    assert main([command, "tiny.toml", "--workers", "1"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "tiny: 2 of 4 cells failed (2 crashed); why, with the traceback of an error, is in the record of each" in out
    named = Path(re.findall(r"such as (\S+record\.json);", out)[0])
    assert "boom" in json.loads(named.read_text())["failure"]["traceback"]
    assert Path("runs/tiny/report/index.html").exists() is (command == "benchmark")
    assert main([command, "tiny.toml"]) == 0  # none was to run
    monkeypatch.undo()
    monkeypatch.chdir(study_file.parent)
    assert main([command, "tiny.toml", "--retry-failed"]) == 0


def test_an_interrupt_is_status_130(
    study: Study, study_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_given: object, **_named: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.engines.work, "run_cell", interrupted)
    assert main(["run", "tiny.toml"]) == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    store = RunStore(Path("runs/tiny"))
    assert [store.read(cell) for cell in expand(study)] == [None] * 4


def test_list_and_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "studies"]) == 0
    assert "quick" in capsys.readouterr().out


def test_a_faulty_method_of_another_package_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Bare:
        """A method without the decorator that makes its annotations settings."""

        strength: float = 0.5

    entry = EntryPoint("bare", "somewhere:Bare", "sdibench.method")
    monkeypatch.setattr(EntryPoint, "load", lambda self: Bare)
    monkeypatch.setattr("methods.registry.entry_points", lambda group: [entry] if group == entry.group else [])
    monkeypatch.setattr(methods, "_loaded", False)
    assert main(["list", "methods"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("sdibench: method 'bare': ")
    assert "Bare must be a frozen dataclass" in line


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, bench.cli, bench.study.study; sys.exit('torch' in sys.modules)"
    root = Path(bench.__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sdibench {version('sdi-bench')}\n"


def test_the_module_is_the_command() -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(bench.__file__).parents[1])}
    command = [sys.executable, "-m", "bench.cli", "--version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert done.stdout == f"sdibench {version('sdi-bench')}\n"

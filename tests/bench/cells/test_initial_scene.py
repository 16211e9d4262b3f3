"""A cell that starts from a file or from a record, from the command line to its first image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from rich.console import Console

from bench.cells.finished_scene import load_scene
from bench.cells.initial_scene import check_inputs, initial_scene
from bench.cells.run_cell import run_cell
from bench.cli import main
from bench.commands.run import run_study
from bench.errors import InputError
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.study import Study, load_study
from bench.watch.divergence import Status
from methods.contracts import Prior
from methods.scenes.gaussians.initialisations.record import OnMesh

POINTS = '{ name = "points", path = "{prompt}.ply", radius = "as_is" }'
RECORD = '{ name = "record", run = "nerfs", arm = "sds" }'


@pytest.fixture
def folder(study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a point cloud for each prompt."""
    monkeypatch.chdir(tmp_path)
    for number, prompt in enumerate(("blue-duck", "red-striped-car"), start=1):
        positions = np.random.default_rng(number).normal(0, 0.1 * number, (50, 3))
        colours = np.tile([255, 0, 0, 255], (50, 1)).astype(np.uint8)
        trimesh.PointCloud(positions, colours).export(tmp_path / f"{prompt}.ply")
    return tmp_path


def study_from(folder: Path, initialisation: str, name: str = "own") -> Study:
    text = (folder / "tiny.toml").read_text()
    start, end = text.index('name = "nerf"'), text.index("[render]")
    scene = f'name = "gaussians"\ncount = 400\ninitialisation = {initialisation}\n'
    (folder / f"{name}.toml").write_text(text[:start] + scene + text[end:])
    return load_study(folder / f"{name}.toml")


def test_a_cell_starts_at_the_points_of_its_prompt(folder: Path, prior: Prior) -> None:
    study = study_from(folder, POINTS)
    check_inputs(study)
    for cell, spread in zip(expand(study)[::2], (0.1, 0.2), strict=True):
        scene = initial_scene(cell).build(prior, torch.Generator().manual_seed(0))
        assert float(scene.means.detach().std()) == pytest.approx(spread, rel=0.2)
        assert float(scene.harmonics.detach()[:, 0, 0].min()) > 1.7  # red
        outcome = run_cell(cell, prior)
        assert outcome.record.status is Status.COMPLETED
        assert run_cell(cell, prior).scene["means"].equal(outcome.scene["means"])


def test_a_changed_file_stops_the_run_and_not_the_suite(folder: Path, prior: Prior, capsys) -> None:
    study = study_from(folder, POINTS)
    assert main(["run", "own.toml", "--out", "run", "--prompts", "blue-duck", "--yes"]) == 0
    cell = expand(study)[2]
    for change in (lambda path: path.write_bytes(path.read_bytes()[:-16] + bytes(16)), Path.unlink):
        change(folder / "red-striped-car.ply")
        record = run_cell(cell, prior).record  # one that is under way
        assert record.status is Status.CRASHED
        assert "red-striped-car.ply" in record.failure.message


def test_a_run_with_a_missing_file_says_so_before_any_cell(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study_from(folder, POINTS)
    (folder / "red-striped-car.ply").unlink()
    for command in (["plan", "own.toml"], ["run", "own.toml", "--yes"]):
        assert main(command) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith("sdibench: own: scene.initialisation: path: '")
        assert line.endswith("red-striped-car.ply' is not a file; give the path of one that is there")
    assert not (folder / "runs").exists()


def test_a_broken_file_says_so_before_any_cell(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study_from(folder, POINTS)
    text = (folder / "red-striped-car.ply").read_bytes()
    start = text.index(b"end_header\n") + len(b"end_header\n")
    (folder / "red-striped-car.ply").write_bytes(text[:start] + np.float32(np.nan).tobytes() + text[start + 4 :])
    for command in (["plan", "own.toml"], ["run", "own.toml", "--yes"]):
        assert main(command) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert "own: scene.initialisation: path: '" in line
        assert "1 of its 50 points are not finite; give points or a mesh (.ply, .obj, .glb)" in line
    assert not (folder / "runs").exists()


def test_a_plan_of_a_run_without_its_files_is_still_a_plan(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = study_from(folder, POINTS)
    assert main(["run", "own.toml", "--prompts", "blue-duck", "--out", "part", "--yes"]) == 0
    RunStore(folder / "part").write_study(RunStore(folder / "part").open(study.narrow(prompt_ids=["blue-duck"])))
    for path in folder.glob("*.ply"):
        path.unlink()
    capsys.readouterr()
    assert main(["plan", "part"]) == 0
    assert "cannot run here: own-" in capsys.readouterr().out
    assert main(["score", "part"]) == 0
    assert main(["report", "part"]) == 0
    assert main(["run", "part", "--yes"]) == 0  # nothing is missing
    record = RunStore(folder / "part").record_folders()[0]
    assert len(load_scene(record).means) == 400


def test_a_record_of_another_scene_is_a_start(folder: Path, prior: Prior, console: Console) -> None:
    run_study(load_study(folder / "tiny.toml"), RunStore(folder / "runs" / "nerfs"), console)
    study = study_from(folder, RECORD)
    check_inputs(study)
    cell = expand(study)[0]
    settings = initial_scene(cell)
    assert isinstance(settings.initialisation, OnMesh)
    scene = settings.build(prior, torch.Generator().manual_seed(0))
    [place] = (folder / "runs" / "nerfs" / "cells").glob("sds--blue-duck--s0--*")
    with torch.no_grad():
        volume = load_scene(place).volume()
        torch.testing.assert_close(
            volume(scene.means).rgb, 0.5 + 0.28209479177387814 * scene.harmonics[:, 0], atol=0.1, rtol=0
        )
    outcome = run_cell(cell, prior)
    assert outcome.record.status is Status.COMPLETED
    assert run_cell(cell, prior).scene["means"].equal(outcome.scene["means"])


def test_a_record_that_failed_is_not_a_start(folder: Path, console: Console, capsys) -> None:
    source = RunStore(folder / "runs" / "nerfs")
    base = load_study(folder / "tiny.toml")
    limits = base.divergence.model_copy(update={"patience": 1, "opaque_opacity": 0.0})
    run_study(base.model_copy(update={"divergence": limits}), source, console)
    study = study_from(folder, RECORD)
    with pytest.raises(InputError, match=r"scene.initialisation: run: .* ended as opaque; give an arm or seed that"):
        check_inputs(study)
    for command in (["plan", "own.toml"], ["run", "own.toml", "--yes"]):
        assert main(command) == 2
        assert "ended as opaque" in capsys.readouterr().err

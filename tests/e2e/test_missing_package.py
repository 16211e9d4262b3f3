"""A study whose scene needs a package that this machine lacks: one line, exit status 2, and nothing written."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from bench.cells.finished_scene import load_scene
from bench.cli import main
from methods.scenes.gaussians.rasterisers import gsplat

pytestmark = pytest.mark.e2e

GSPLAT = '{ name = "gaussians", count = 9, rasteriser = "gsplat" }'
TINYCUDANN = '{ name = "nerf", encoding = { name = "hash_grid", backend = "tinycudann", layout = "tiny_cuda_nn" } }'
STUDY = """
title = "Tiny"
prior = "gaussian"
scorers = "toybox"
prompts = "toybox"
prompt_ids = ["blue-duck"]
steps = 2
metrics = ["ground_truth"]
baseline = "sds"
render = { resolution = 8 }
evaluation = { views = 2, resolution = 8 }
[methods.sds]
settings.scene = %s
[methods.sdi]
settings.scene = %s
"""


def write(folder: Path, scene: str) -> str:
    (folder / "tiny.toml").write_text(STUDY % (scene, scene))
    return str(folder / "tiny.toml")


@pytest.fixture(autouse=True)
def lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "tinycudann" else find(name, *rest)
    )
    monkeypatch.setattr(gsplat, "problem", lambda: "has no CUDA device here")


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        (
            GSPLAT,
            "tiny: methods.sds.settings.scene: rasteriser: 'gsplat' needs the package gsplat (the extra gpu) and a "
            "CUDA device, and gsplat has no CUDA device here; 'torch' works without them",
        ),
        (
            TINYCUDANN,
            "tiny: methods.sds.settings.scene: encoding.backend: 'tinycudann' needs the package tinycudann (pip",
        ),
    ],
    ids=["gsplat", "tinycudann"],
)
def test_plan_and_run_say_it_in_one_line(
    scene: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write(tmp_path, scene)
    assert main(["plan", study]) == 2
    said = [line for line in capsys.readouterr().out.splitlines() if "needs" in line]
    assert len(said) == 1
    assert said[0].startswith(f"cannot run here: {message}")
    assert main(["run", study]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert message in said[0]
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


def test_a_package_that_fails_in_a_worker_ends_the_run_and_no_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As when another program deletes what it has compiled."""
    answers = iter([None])
    monkeypatch.setattr(gsplat, "problem", lambda: next(answers, "does not work here (ImportError: no gsplat_cuda.so)"))
    assert main(["run", write(tmp_path, GSPLAT), "--yes"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[2].partition("and gsplat")[2] for line in said] == [
        " does not work here (ImportError: no gsplat_cuda.so); 'torch' works without them"
    ]
    assert list((tmp_path / "runs" / "tiny").glob("cells/*")) == []
    monkeypatch.setattr(gsplat, "problem", lambda: None)
    assert main(["run", str(tmp_path / "tiny.toml"), "--yes"]) == 0
    record = next((tmp_path / "runs" / "tiny").glob("cells/sds--*/record.json")).read_text()
    assert '"status": "crashed"' not in record


def test_a_plan_for_another_machine_is_no_failure(tmp_path: Path) -> None:
    assert main(["plan", write(tmp_path, GSPLAT), "--on", "h100"]) == 0


def test_a_plan_of_what_is_there_is_no_failure(tmp_path: Path) -> None:
    plain = GSPLAT.replace('"gsplat"', '"torch"')
    assert main(["plan", write(tmp_path, plain), "--timing-seconds", "0.1"]) == 0


def test_what_ran_elsewhere_is_exported_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gsplat, "problem", lambda: None)
    assert main(["run", write(tmp_path, GSPLAT), "--yes"]) == 0
    monkeypatch.setattr(gsplat, "problem", lambda: "is not installed")
    [folder] = (tmp_path / "runs" / "tiny" / "cells").glob("sds--*")
    assert load_scene(folder).means.shape == (9, 3)


def test_table_2_needs_a_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "table2"]) == 2
    said = [line for line in capsys.readouterr().out.splitlines() if "gsplat" in line]
    assert len(said) == 1
    assert said[0].startswith("cannot run here: table2: scene: rasteriser: 'gsplat' needs the package gsplat")

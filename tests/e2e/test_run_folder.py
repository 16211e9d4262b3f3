"""A run folder on a machine that has nothing else: no study file, no prompt list, no weights of the prior."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from bench.cli import main
from bench.records.store import RunStore
from methods.priors import priors
from methods.priors.loading import cached_prior

pytestmark = pytest.mark.e2e

BASE = """
prior = "{prior}"
scorers = "toybox"
prompts = "lists/mine.txt"
steps = 3
metrics = ["clip_score", "r_precision"]
controls = ["blank", "prior_2d"]
baseline = "sds"
threads = 1
scene.name = "nerf"
scene.marching = {{ name = "occupancy", samples = 14 }}
scene.encoding = {{ name = "dense_grid", resolutions = [8, 16] }}
render = {{ resolution = 8 }}
evaluation = {{ views = 3, resolution = 32 }}
[methods.sds]
[methods.sdi]
"""


def _write_study(folder: Path, *, prior: str) -> Path:
    (folder / "lists").mkdir(parents=True)
    (folder / "lists" / "mine.txt").write_text("a blue duck\na red striped car\n")
    (folder / "base.toml").write_text(BASE.format(prior=prior))
    (folder / "mini.toml").write_text('title = "Mini"\nextends = "base.toml"\n')
    return folder / "mini.toml"


def _copy_read_only(run: Path, target: Path) -> Path:
    """As an archive or another user leaves it: files that nobody may change."""
    shutil.copytree(run, target)
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o444)
    return target


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, blank_figures_in_module: None, few_samples: None
) -> tuple[Path, Path]:
    """Two finished runs of two machines, which call list and prior otherwise, and whose inputs are gone."""
    made = tmp_path_factory.mktemp("cluster")
    found = []
    for place, prior in (("one", "sdA"), ("two", "../two/weights/sdB/")):
        study = _write_study(made / place, prior=prior)
        shutil.copytree(priors["toybox"].folder(), made / place / prior)
        methods = ["sds", "sdi"] if place == "one" else ["sds"]
        out = tmp_path_factory.mktemp("runs") / place
        before = Path.cwd()
        os.chdir(made)
        try:
            given = [str(study.relative_to(made)), "--methods", *methods, "--out", str(out)]
            assert main(["benchmark", *given, "--yes"]) == 0
        finally:
            os.chdir(before)
        found.append(out)
    shutil.rmtree(made)
    return found[0], found[1]


@pytest.fixture
def bare(runs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Copies of the runs, in an empty world."""
    cached_prior.cache_clear()  # what this process has in memory, another machine has not
    for name in ("SDIBENCH_WEIGHTS", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    before = os.umask(0o077)
    yield tuple(_copy_read_only(run, tmp_path / f"copy-of-{run.name}") for run in runs)
    os.umask(before)


def _frame(run: Path, name: str = "scores") -> pd.DataFrame:
    return pd.read_parquet(run / f"{name}.parquet")


def test_a_copy_is_verified_planned_and_run_with_nothing_left_to_do(
    bare: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(bare[0])]) == 0
    assert "4 cells scored again" in capsys.readouterr().out
    assert main(["run", str(bare[0])]) == 0
    assert "4 cells, 4 done, 0 to run" in capsys.readouterr().out
    assert main(["plan", str(bare[0])]) == 0
    out = capsys.readouterr().out
    assert "cannot run here: " in out
    assert re.search(r"sds +│ 2 +│ 2 +│ 0 ", out), "cells, done, missing"


def test_a_copy_is_scored_and_reported_to_the_same_numbers(
    bare: tuple[Path, Path], runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(bare[0] / "scores")
    for path in bare[0].glob("*.parquet"):
        path.unlink()
    assert main(["score", str(bare[0])]) == 0
    assert "no prior_2d" not in capsys.readouterr().out, "its images are in the run folder"
    for name in ("scores", "controls"):
        pd.testing.assert_frame_equal(_frame(bare[0], name), _frame(runs[0], name), check_exact=True)
    assert set(_frame(bare[0], "controls")["control"]) == {"blank", "prior_2d"}
    shutil.rmtree(bare[0] / "report")
    assert main(["report", str(bare[0])]) == 0
    assert "a red striped car" in (bare[0] / "report" / "index.html").read_text()


def test_images_of_the_prior_that_were_not_made_are_left_out_with_a_line(
    bare: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(next((bare[0] / "controls" / "prior_2d").iterdir()))
    assert main(["score", str(bare[0])]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "no prior_2d for 1 of 2 prompts: " in out
    controls = _frame(bare[0], "controls")
    assert controls.groupby("control")["prompt_id"].nunique().to_dict() == {"blank": 2, "prior_2d": 1}
    assert main(["report", str(bare[0])]) == 0


def test_copies_are_compared_and_merged(
    bare: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *map(str, bare)]) == 0
    assert "| sds" in capsys.readouterr().out
    whole = tmp_path / "whole"
    assert main(["merge", *map(str, bare), "--out", str(whole)]) == 0, "cells of both took other times alone"
    assert "records copied 4, there already 2, differing or left out 0" in capsys.readouterr().out
    for command in ("verify", "score", "report", "verify"):
        assert main([command, str(whole)]) == 0
    assert len(RunStore(whole).record_folders()) == 4


def test_only_what_needs_the_prior_asks_for_it(bare: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    cell = next((bare[1] / "cells").glob("sds--*"))
    for path in cell.iterdir():
        path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.rmtree(cell)
    assert main(["run", str(bare[1])]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "there is no such folder" in line
    assert main(["score", str(bare[1])]) == 0
    assert main(["report", str(bare[1])]) == 0

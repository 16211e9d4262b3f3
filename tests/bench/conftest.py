"""A tiny study of two methods and two prompts with the closed-form prior: a cell takes a tenth of a second."""

from __future__ import annotations

import ctypes
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from bench.commands.run import run_study
from bench.commands.score import score_study
from bench.records.store import RunStore
from bench.study.cell import SCENE_FILE, Cell
from bench.study.expand import expand
from bench.study.settings import DivergenceSettings
from bench.study.study import Study, load_study
from methods.contracts import Prior
from methods.priors.loading import cached_prior

TINY = """
title = "Tiny"
prior = "gaussian"
scorers = "toybox"
prompts = "toybox"
prompt_ids = ["blue-duck", "red-striped-car"]
steps = 4
metrics = ["ground_truth"]
baseline = "sds"
threads = 1
[scene]
name = "nerf"
marching = { name = "occupancy", samples = 14 }
encoding = { name = "dense_grid", resolutions = [8, 16] }
[render]
resolution = 8
[evaluation]
views = 3
resolution = 8
[methods.sds]
[methods.sdi]
"""


@pytest.fixture(scope="session", autouse=True)
def _coarse_meshes(coarse_meshes: None) -> None:
    """Reports with coarse meshes."""


@pytest.fixture(scope="session")
def _folder_of_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("base")
    for cell in expand(load_study("gaussians")):
        folder = home / "runs" / "gaussians" / "cells" / cell.folder_name
        folder.mkdir(parents=True)
        (folder / SCENE_FILE).write_text(cell.folder_name)
    return home


@pytest.fixture
def run_of_base(_folder_of_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder with the scenes of the study that a shipped study starts from; for reading only."""
    monkeypatch.chdir(_folder_of_base)


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def study(study_file: Path) -> Study:
    return load_study(study_file)


@pytest.fixture
def endless(study: Study) -> Study:
    """Two cells that go on until they are asked to stop, diverged or not."""
    never = DivergenceSettings(empty_opacity=0.0, opaque_opacity=1.0, frozen_change=0.0)
    return study.narrow(steps=1_000_000, prompt_ids=["blue-duck"]).model_copy(update={"divergence": never})


@pytest.fixture
def cell(study: Study) -> Cell:
    return expand(study)[0]


@pytest.fixture
def prior() -> Prior:
    return cached_prior("gaussian", "mode")


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that is run and scored; for reading only."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.toml").write_text(TINY)
    study = load_study(folder / "tiny.toml")
    store = RunStore(folder / "run")
    console = Console(file=io.StringIO())
    run_study(study, store, console)
    score_study(study, store, console)
    return store.folder


@pytest.fixture
def permissions_hold() -> Iterator[None]:
    """Let the permissions of files hold for root too, on Linux by giving up two capabilities for the test."""
    if os.geteuid():
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, kept = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if libc.capget(header, kept):
        pytest.skip("root may read everything here")
    fewer = (ctypes.c_uint32 * 6)(*kept)
    fewer[0] &= ~(1 << 1 | 1 << 2)  # the effective CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    assert not libc.capset(header, fewer)
    try:
        yield
    finally:
        libc.capset(header, kept)


@pytest.fixture
def finished(finished_folder: Path, tmp_path: Path) -> RunStore:
    """A copy of a finished run, to be broken at will."""
    return RunStore(Path(shutil.copytree(finished_folder, tmp_path / "run")))


@pytest.fixture(autouse=True)
def _blank_figures(blank_figures: None) -> None:
    """Reports without the seconds of drawing: tests/reports and tests/e2e look at figures, these tests do not."""

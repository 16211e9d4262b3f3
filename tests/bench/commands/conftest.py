"""What the tests of fetching share (a small pipeline, and a home for weights), and those of comparing (two runs)."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from rich.console import Console

import bench
from bench.commands.fetch import fetch_suite
from bench.commands.run import run_study
from bench.commands.score import score_study
from bench.records.store import RunStore
from bench.study.study import load_study
from prompts import load_prompt_set

from ..conftest import TINY  # noqa: TID252  (tests are no package)

PROMPTS = [prompt.id for prompt in load_prompt_set("toybox").prompts][:7]


def _module(path: str) -> ModuleType:
    """A helper of other tests, which are not packages."""
    spec = importlib.util.spec_from_file_location(f"fetch_{Path(path).stem}", Path(bench.__file__).parents[1] / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def stable_diffusion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small pipeline of random weights in the published layout, for reading only."""
    written = _module("tests/methods/priors/conftest.py").write_stable_diffusion(
        tmp_path_factory.mktemp("hub") / "tiny"
    )
    folder: Path = written.folder
    return folder


@pytest.fixture(scope="session")
def layouts() -> ModuleType:
    """Random weights of the scorers in the published files' layout."""
    return _module("tests/parity/layouts.py")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for role in ("", "_CLIP", "_IQA", "_BERT", "_REWARD"):
        monkeypatch.delenv(f"SDIBENCH_SD21{role}", raising=False)
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def fetch(*names: str, **more: object) -> str:
    console = Console(file=io.StringIO(), width=300)
    fetch_suite(*names, console, **{"only": ("prior",), **more})
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scored run of seven prompts and two seeds, few enough to be quick and enough for an interval."""
    folder = tmp_path_factory.mktemp("wide")
    text = TINY.replace('["blue-duck", "red-striped-car"]', json.dumps(PROMPTS)).replace("steps = 4", "steps = 1")
    (folder / "wide.toml").write_text(text.replace("threads", "seeds = [0, 1]\nthreads"))
    study, store = load_study(folder / "wide.toml"), RunStore(folder / "run")
    console = Console(file=io.StringIO())
    run_study(study, store, console)
    score_study(study, store, console)
    return store.folder


@pytest.fixture
def pair(wide: Path, tmp_path: Path) -> tuple[RunStore, RunStore]:
    """The same run twice; the second is to be changed."""
    return RunStore(wide), RunStore(Path(shutil.copytree(wide, tmp_path / "b")))


def change_scores(store: RunStore, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = store.folder / "scores.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)


def change_records(store: RunStore, change: Callable[[dict], None], pattern: str = "sdi--*") -> None:
    for path in store.folder.glob(f"cells/{pattern}/record.json"):
        fields = json.loads(path.read_text())
        change(fields)
        path.write_text(json.dumps(fields))


def shifted(frame: pd.DataFrame) -> pd.DataFrame:
    """SDI's PSNR up by 1, 2, … 7 dB by prompt, and by 10 more for seed 1."""
    mine = (frame["method"] == "sdi") & (frame["metric"] == "psnr")
    by_prompt = frame["prompt_id"].map({name: index + 1.0 for index, name in enumerate(PROMPTS)})
    frame.loc[mine, "value"] += (by_prompt + 10.0 * frame["seed"])[mine]
    return frame

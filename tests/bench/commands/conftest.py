"""What the tests of fetching share: a small pipeline, and a home of their own for weights."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

import bench
from bench.commands.fetch import fetch_suite


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

"""The examples of the scenes' README run in a study as they stand there."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import methods.scenes
from bench.cells.run_cell import run_cell
from bench.study.expand import expand
from bench.study.study import Study, parse_study
from methods.contracts import Prior
from methods.registry import Registry
from methods.scenes import scenes
from methods.scenes.nerf.encodings import encodings

README = Path(methods.scenes.__file__).parent / "README.md"
CODE = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def _import(code: str, name: str, registry: Registry[Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Import an example from a file of its own, and forget what it registers after the test."""
    registry.names()  # everything that is shipped is registered first
    monkeypatch.setattr(registry, "_found", dict(registry._found))
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    specification = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, name, module)
    specification.loader.exec_module(module)


def _run(study: Study, prior: Prior, **fields: Any) -> list[float]:
    """Losses of a cell of the study with other fields."""
    cell = expand(parse_study(study.model_dump(mode="json") | fields, where=""))[0]
    outcome = run_cell(cell, prior)
    assert outcome.record.status == "completed", outcome.record.failure
    assert outcome.images.opacity.max() > 50
    return [event.loss for event in outcome.events]


def test_the_scene(study: Study, prior: Prior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _import(CODE[0], "balls", scenes, tmp_path, monkeypatch)
    few = _run(study, prior, scene={"name": "balls", "count": 3})
    assert few != _run(study, prior, scene={"name": "balls", "count": 20})
    assert CODE[0].count("\n") < 70


def test_the_encoding(study: Study, prior: Prior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its waves have a second derivative, so normals can be analytic."""
    _import(CODE[1], "waves", encodings, tmp_path, monkeypatch)
    scene = {"name": "nerf", "encoding": {"name": "waves", "count": 8}, "normals": {"kind": "analytic"}}
    losses = _run(study, prior, scene=scene | {"penalties": {"orient": 0.1}})
    assert losses != _run(study, prior, scene=scene | {"encoding": {"name": "waves", "count": 9}})

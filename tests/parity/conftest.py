"""The published packages, each in a Python of its own (``nox -s parity``), and our models on the same weights."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def layouts() -> ModuleType:
    """``layouts.py``, which the references' Pythons import too."""
    spec = importlib.util.spec_from_file_location("parity_layouts", HERE / "layouts.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def reference() -> Callable[..., Any]:
    """``reference("clip")(folder, …)``: what ``reference_clip.py`` prints; skips where its packages are not there."""

    def find(name: str) -> Callable[..., Any]:
        python = os.environ.get(f"SDIBENCH_PARITY_{name.upper()}")
        if not python:
            pytest.skip("needs the published packages: nox -s parity")

        def run(*arguments: object) -> Any:
            command = [python, HERE / f"reference_{name}.py", *map(str, arguments)]
            offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
            done = subprocess.run(command, capture_output=True, text=True, env=offline, check=False)
            assert done.returncode == 0, done.stderr[-3000:]
            return json.loads(done.stdout)

        return run

    return find


@pytest.fixture
def recorded(request: pytest.FixtureRequest) -> Callable[[str, Any], Any]:
    """``recorded(name, found)``: the golden scores; what the references just ``found``, with ``--update-golden``."""

    def read(name: str, found: Any = None) -> Any:
        path = HERE.parent / "golden" / "parity" / f"{name}.json"
        if found is not None and request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found, indent=1) + "\n")
        return json.loads(path.read_text())

    return read

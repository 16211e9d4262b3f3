"""A method from another package: built, installed next to the suite, listed and run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench.cli import main

pytestmark = pytest.mark.e2e

ROOT = Path(bench.__file__).parents[1]

PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "sdibench-grey"
version = "1.0"
[project.entry-points."sdibench.method"]
pull-to-grey = "sdibench_grey:PullToGrey"
[tool.setuptools]
py-modules = ["sdibench_grey"]
"""

MODULE = '''
"""A method of another package, which imports the suite and is not imported by it."""

from dataclasses import dataclass

import torch

from methods.contracts import Distillation, Method
from methods.distillation import update_loss


@dataclass(frozen=True)
class PullToGrey(Method):
    """Pull every view towards mid-grey."""

    strength: float = 0.5
    """Share of the way."""

    def __call__(self, view, *, prior, prompt, progress, streams, state):
        loss = update_loss(view.latents, self.strength * view.clean)
        timesteps = torch.zeros(len(view.clean))
        diagnostics = {"strength": torch.tensor(self.strength)}
        return Distillation(loss, torch.zeros_like(view.clean), timesteps, diagnostics=diagnostics)
'''

STUDY = """
title = "Another package's method"
prior = "gaussian"
scorers = "toybox"
prompts = "toybox"
prompt_ids = ["blue-duck"]
steps = 2
metrics = ["ground_truth"]
baseline = "pull-to-grey"
threads = 1
[scene]
name = "nerf"
marching = { name = "occupancy", samples = 14 }
encoding = { name = "dense_grid", resolutions = [8, 16] }
[render]
resolution = 8
[evaluation]
views = 2
resolution = 8
[methods.pull-to-grey]
strength = 0.25
"""

#: Both commands in one process, since importing torch is most of the time.
COMMANDS = """
import sys
from bench.cli import main
sys.exit(main(["list", "methods"]) or main(["run", "study.toml"]))
"""


def test_a_method_of_another_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    (source / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (source / "sdibench_grey.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index")
    offline = ("--no-deps", "--no-build-isolation", "--target", str(target))
    subprocess.run([*pip, *offline, str(source)], check=True, capture_output=True)

    monkeypatch.chdir(tmp_path)
    assert main(["run", "study.toml"]) == 2, "the suite itself has no such method"
    assert "unknown method 'pull-to-grey'" in capsys.readouterr().err

    path = os.pathsep.join([str(target), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        env=os.environ | {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"},
        check=False,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    listed = done.stdout.split("pull-to-grey")[1].splitlines()
    assert "Pull every view towards mid-grey." in listed[0]
    assert "no card" in listed[1]

    (record,) = tmp_path.glob("runs/study/cells/*/record.json")
    assert json.loads(record.read_text(encoding="utf-8"))["status"] == "completed"
    events = [json.loads(line) for line in record.with_name("events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [event["diagnostics"]["strength"] for event in events] == [0.25, 0.25]

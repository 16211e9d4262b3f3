"""A run, a scoring or a report that is killed at any point goes on to what it would have been."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors import safe_open

import bench
from bench.records.atomic import PARTIAL
from bench.records.read_record import read_record
from bench.records.store import RunStore
from bench.study.expand import expand

STUDY = """
title = "Tiny"
prior = "toybox"
scorers = "toybox"
prompts = "toybox"
prompt_ids = ["blue-duck"]
steps = 5
metrics = ["clip_score", "ground_truth"]
baseline = "sds"
threads = 1
checkpoint_seconds = 0.0
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
[methods.vsd]
"""

#: What of a record depends on clock and machine.
_OF_THE_MOMENT = {
    "seconds", "step_seconds", "memory", "energy_joules", "attempts", "started_at", "environment", "file_bytes",
    "record_sha256",
    "file_sha256",  # of the events, which have seconds; all other files are compared themselves
    "snapshots",
}  # fmt: skip

#: Stage, and how many of ten points are its.
_STAGES = {"run": 6, "score": 2, "report": 2}


class ForkServer:
    """``sdibench`` without the seconds that its imports take."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = os.environ | {"PYTHONPATH": str(Path(bench.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("fork_server.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment,
        )  # fmt: skip
        assert self._read() == "ready"

    def __call__(self, *arguments: str, folder: Path, **order: Any) -> dict[str, Any]:
        (self.folder / "log").unlink(missing_ok=True)
        (self.folder / "log.count").unlink(missing_ok=True)
        order |= {"arguments": arguments, "log": str(self.folder / "log"), "folder": str(folder)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def said(self) -> str:
        return (self.folder / "log").read_text()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    folder = tmp_path_factory.mktemp("faults")
    (folder / "tiny.toml").write_text(STUDY)
    server = ForkServer(folder)
    yield server
    server.close()


@pytest.fixture(scope="module")
def undisturbed(server: ForkServer) -> dict[str, dict[str, Any]]:
    """A run that nobody killed, with the operations and the time of each stage; its folders by stage, as left by it."""
    found: dict[str, dict[str, Any]] = {}
    folder = server.folder / "undisturbed"
    for stage in _STAGES:
        found[stage] = server(*_command(stage, folder), folder=folder)
        assert found[stage]["statuses"] == [0], server.said()
        found[stage]["folder"] = shutil.copytree(folder, server.folder / f"after-{stage}")
    return found


def _command(stage: str, folder: Path) -> list[str]:
    yes = ["--yes"] * (stage == "run")  # no step is timed for a forecast
    return [stage, "tiny.toml", "--out", str(folder), *yes]


@pytest.mark.parametrize(
    ("points", "least"),
    [
        pytest.param(12, 6, id="few", marks=pytest.mark.e2e),
        pytest.param(60, 50, id="all", marks=pytest.mark.faults),
    ],
)
def test_a_killed_stage_goes_on_to_the_same_files(
    server: ForkServer, undisturbed: dict, points: int, least: int, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(points)
    killed = 0
    for stage, share in _STAGES.items():
        before = {"run": None, "score": "run", "report": "score"}[stage]
        for point in range(points * share // 10):
            folder = server.folder / f"{stage}-{points}-{point}"
            if before is not None:
                shutil.copytree(undisturbed[before]["folder"], folder)
            # two in three between the operations on files, where things can be half done; else anywhere
            order = (
                {"kill_at": int(draw.integers(1, undisturbed[stage]["operations"] + 1))}
                if point % 3
                else {"kill_after": float(draw.uniform(0.05, 1.0)) * undisturbed[stage]["seconds"]}
            )
            ended = server(*_command(stage, folder), folder=folder, **order)
            assert ended["statuses"][0] in (0, -9), (order, server.said())
            killed += ended["statuses"] == [-9]
            _check_nothing_is_half(folder)
            ended = server(*_command(stage, folder), folder=folder)
            assert ended["statuses"] == [0], (stage, order, server.said())
            _check_same(folder, undisturbed[stage]["folder"])
            shutil.rmtree(folder)
    with capsys.disabled():
        print(f"\n{killed} of {points} processes killed; every record complete and the same after going on")  # noqa: T201
    assert killed >= least  # the others had ended before their time came


@pytest.mark.e2e
def test_two_runs_at_once_do_each_cell_once(server: ForkServer, undisturbed: dict) -> None:
    folder = server.folder / "two"
    ended = server(*_command("run", folder), folder=folder, copies=2)
    assert ended["statuses"] == [0, 0], server.said()
    _check_same(folder, undisturbed["run"]["folder"])
    for log in (folder / "logs").iterdir():
        assert log.read_text().count("== attempt") == 1


def _check_nothing_is_half(folder: Path) -> None:
    """What is visible is whole: records by their own check, other files by what reads them."""
    if not (folder / "study.json").exists():
        assert not folder.exists() or all(path.name.startswith(PARTIAL) for path in folder.iterdir())
        return
    store = RunStore(folder)
    cells = {cell.folder_name: cell for cell in expand(store.read_study())}
    for name in store.finished():
        assert read_record(folder / "cells" / name, cells[name].identity).views
    for path in _visible(folder):
        match path.suffix:
            case ".json":
                json.loads(path.read_text())
            case ".png":
                Image.open(path).load()
            case ".parquet":
                pd.read_parquet(path)
            case ".safetensors":
                with safe_open(path, framework="pt") as file:
                    [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118
            case ".html":
                assert path.read_text().rstrip().endswith(("</html>", "</table>"))
            case ".svg":
                assert path.read_text().rstrip().endswith("</svg>")


def _visible(folder: Path) -> list[Path]:
    names = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return [folder / name for name in names if not any(part.startswith(PARTIAL) for part in name.parts)]


def _check_same(folder: Path, twin: Path) -> None:
    """The same files, to the byte but for what depends on clock and machine; nothing left over."""

    def names(of: Path) -> list[str]:
        found = (str(path.relative_to(of)) for path in _visible(of))
        return [name for name in found if not name.startswith(("claims/", "logs/"))]

    assert names(folder) == names(twin)
    assert not list((folder / "cells").glob(f"{PARTIAL}*"))
    assert not list((folder / "claims").glob("*.json"))
    for name in names(folder):
        mine, other = folder / name, twin / name
        if name.endswith("record.json"):
            one, two = (json.loads(path.read_text()) for path in (mine, other))
            assert {key: one[key] for key in one.keys() - _OF_THE_MOMENT} == {
                key: two[key] for key in two.keys() - _OF_THE_MOMENT
            }
        elif name.endswith("events.jsonl"):
            one, two = (
                [json.loads(line) | {"seconds": 0} for line in path.read_text().splitlines()] for path in (mine, other)
            )
            assert one == two
        elif name.endswith(".parquet"):
            one, two = (_without_places(pd.read_parquet(path)) for path in (mine, other))
            pd.testing.assert_frame_equal(one, two, check_exact=True)
        else:
            assert mine.read_bytes() == other.read_bytes(), name


def _without_places(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[name for name in frame if name != "folder" and not name.endswith("_path")]]

"""Folders of renders in every layout, through one command to the page."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from bench.cli import main
from bench.exports.gaussians import export_gaussians
from bench.exports.mesh import export_mesh
from bench.imports.layouts import layouts
from bench.records.read_record import read_record

from ..support import foreign_renders as foreign  # noqa: TID252  (tests are no package)

pytestmark = pytest.mark.e2e

PROMPT = "a blue duck"
STUDY = """
title = "Tiny"
prior = "gaussian"
scorers = "toybox"
prompts = "toybox"
prompt_ids = ["blue-duck"]
steps = 2
metrics = ["clip_score"]
baseline = "nerf"
threads = 1
scene = { name = "nerf", marching = { name = "occupancy", samples = 14 }, encoding = { name = "dense_grid", resolutions = [8, 16] } }
render = { resolution = 8 }
evaluation = { views = 3, resolution = 16 }
[methods.nerf]
method = "sds"
[methods.splats]
method = "sds"
settings.scene = { name = "gaussians", count = 60 }
"""  # noqa: E501


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A folder in each layout that this machine can read, with a blue duck."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(STUDY)
    assert main(["run", "tiny.toml", "--yes"]) == 0
    made = {name: tmp_path / "renders" / name for name in layouts.names()}
    cells = {path.name.split("--")[0]: path for path in (tmp_path / "runs/tiny/cells").iterdir()}
    shutil.copytree(cells["nerf"] / "views", made["frames"] / "blue-duck")
    foreign.write_threestudio_trial(made["threestudio"] / "dreamfusion-sd" / "a_blue_duck@20260101-120000", PROMPT)
    foreign.write_threestudio_trial(made["mvsdi"] / "sdi" / "a_blue_duck@20260101-120000", PROMPT)
    tournament = foreign.write_gpteval3d(tmp_path / "tournament", "gpteval3d", [PROMPT])
    made["gpteval3d"] = tournament
    foreign.write_gif(made["video"] / "a_blue_duck.gif", [foreign.colours(view) for view in range(4)])
    for folder in (made["mesh"], made["ply"]):
        folder.mkdir(parents=True)
    export_mesh(cells["nerf"], made["mesh"] / "blue-duck.glb", resolution=16)
    export_gaussians(cells["splats"], made["ply"] / "blue-duck.ply")
    if find_spec("embreex") is None:
        made.pop("mesh")
    return made


@pytest.mark.usefixtures("blank_figures")
def test_renders_of_every_layout_are_ranked(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*map(str, folders.values()), "--layouts", *folders, "--names", *folders]
    given += ["--prompts", "toybox", "--scorers", "toybox", "--metrics", "clip_score", "--set", "video.views=4"]
    capsys.readouterr()
    assert main(["rank", *given, "--views", "3", "--resolution", "16"]) == 0
    out = capsys.readouterr().out
    run = tmp_path / "runs/rank"
    assert "report: runs/rank/report/index.html" in out
    page = (run / "report/index.html").read_text()
    frame = pd.read_parquet(run / "scores.parquet")
    assert frame["value"].notna().all()
    views = frame.groupby("method").size().to_dict()
    ours = {"frames": 3, "mesh": 3, "ply": 3, "video": 4}
    assert views == {f"{name} (imported)": ours.get(name, 4) for name in folders}
    for name in folders:
        assert f"Imported {name}" in page
        [record] = [read_record(path) for path in run.glob(f"cells/{name}--*")]
        assert record.cell.layout["name"] == name
        assert all((run / "cells" / record.cell.folder_name / view.rgb).is_file() for view in record.views)
    [trial] = [read_record(path) for path in run.glob("cells/threestudio--*")]
    assert {"steps", "guidance_scale"} <= trial.cell.known.keys()
    assert json.loads((run / "study.json").read_text())["prior"]["name"] == "gaussian"  # which needs no weights

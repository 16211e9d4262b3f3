"""NeRF and Gaussians in one study: workers, scores, a 3D view of both, and a start from the other's record."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import pandas as pd
import pytest
import trimesh

from bench.cli import main
from bench.records.store import RunStore
from bench.study.expand import expand

pytestmark = pytest.mark.e2e

NERF = """
title = "NeRF"
prior = "gaussian"
scorers = "toybox"
prompts = "toybox"
prompt_ids = ["blue-duck"]
steps = 3
metrics = ["ground_truth"]
baseline = "nerf"
threads = 1
scene = { name = "nerf", marching = { name = "occupancy", samples = 14 } }
render = { resolution = 8 }
evaluation = { views = 3, resolution = 32 }
[methods]
nerf = { method = "sds" }
"""

BOTH = """
title = "Both"
extends = "./nerf.toml"
[methods]
nerf = { method = "sds", settings.views_per_step = 2 }
[methods.gaussians]
method = "sds"
settings.scene = { name = "gaussians", count = 400, initialisation = { name = "record", run = "nerf", arm = "nerf" } }
"""


def viewer_parts(page: Path) -> list[trimesh.Trimesh]:
    """The meshes in a 3D view, which needs no network."""
    text = page.read_text()
    assert not re.search(r"(src|href)=\"https?:", text)
    (encoded,) = re.findall(r'base64_data="([A-Za-z0-9+/=]+)"', text)
    scene = trimesh.load_scene(io.BytesIO(base64.b64decode(encoded)), file_type="glb", skip_materials=True)
    return [scene.geometry[name] for name in sorted(scene.geometry)]


@pytest.mark.usefixtures("blank_figures")
def test_both_scenes_in_one_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nerf.toml").write_text(NERF)
    (tmp_path / "both.toml").write_text(BOTH)
    assert main(["run", "nerf.toml", "--yes"]) == 0
    assert main(["run", "both.toml", "--workers", "2", "--yes"]) == 0
    for command in ("score", "report", "verify"):
        assert main([command, "runs/both"]) == 0
    store = RunStore(tmp_path / "runs" / "both")
    cells = expand(store.read_study())
    assert [cell.scene["name"] for cell in cells] == ["nerf", "gaussians"]
    assert [store.read(cell).status for cell in cells] == ["completed"] * 2
    scores = pd.read_parquet(store.folder / "scores.parquet")
    assert scores["value"][scores["metric"] == "iou"].mean() > 0
    assert set(scores["cell"]) == {cell.identity for cell in cells}
    [viewer] = (store.folder / "report" / "meshes").glob("*.html")
    parts = viewer_parts(viewer)
    assert len(parts) == 2
    assert all(len(part.faces) > 50 and part.visual.kind == "vertex" for part in parts)

"""The whole path on a tiny study: run, score, report; again; and elsewhere, to the same bits."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.cli import main
from bench.records.store import RunStore
from bench.study.expand import expand
from metrics import metrics

pytestmark = pytest.mark.e2e

STUDY = """
title = "Tiny"
prior = "toybox"
scorers = "toybox"
prompts = "toybox"
prompt_ids = ["blue-duck", "red-striped-car"]
steps = 6
metrics = [
  "clip_score", "clip_iqa", "image_reward", "r_precision", "detail", "saturation", "ground_truth",
]
baseline = "sds"
threads = 1
[scene]
name = "nerf"
marching = { name = "occupancy", samples = 28 }
encoding = { name = "dense_grid", resolutions = [8, 16] }
[render]
resolution = 16
[evaluation]
views = 4
resolution = 64
[methods.sds]
[methods.sdi]
"""


@pytest.mark.usefixtures("blank_figures")
def test_quick_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(STUDY)
    for command in ("run", "score", "report"):
        assert main([command, "tiny.toml"]) == 0

    store = RunStore(tmp_path / "runs" / "tiny")
    study = store.read_study()
    cells = expand(study)
    assert len(cells) == 4
    records = [store.read(cell) for cell in cells]
    assert [record and record.status for record in records] == ["completed"] * 4
    scores = pd.read_parquet(store.folder / "scores.parquet")
    columns = [column.name for name in study.metrics for column in metrics[name].columns]
    assert scores.groupby("metric").size().to_dict() == dict.fromkeys(columns, 4 * 4)
    page = (store.folder / "report" / "index.html").read_text()
    assert "a blue duck" in page
    assert "sdi" in (store.folder / "report" / "tables" / "summary.tex").read_text()

    capsys.readouterr()
    times = {path: path.stat().st_mtime_ns for path in store.folder.glob("cells/*/*")}
    assert main(["run", "tiny.toml"]) == 0
    assert "4 cells, 4 done, 0 to run" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in store.folder.glob("cells/*/*")} == times

    assert main(["run", "tiny.toml", "--out", "elsewhere"]) == 0
    assert main(["score", "elsewhere"]) == 0
    other = RunStore(tmp_path / "elsewhere")
    for cell in cells:
        for path in (store.cell_folder(cell) / "scene.safetensors", *store.cell_folder(cell).glob("views/*")):
            twin = other.cell_folder(cell) / path.relative_to(store.cell_folder(cell))
            assert twin.read_bytes() == path.read_bytes()
    pd.testing.assert_frame_equal(pd.read_parquet(other.folder / "scores.parquet"), scores, check_exact=True)

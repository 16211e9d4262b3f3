"""Files that are made from records: each is found when it is damaged, safe to delete, and made again."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from bench.cli import main
from bench.commands.derived_files import find_damage
from bench.commands.report import report_study
from bench.commands.run import run_study
from bench.commands.score import score_study
from bench.records.store import RunStore
from bench.scores.tables import TABLES
from bench.study.settings import EvaluationSettings
from bench.study.study import Study, load_study
from methods.weights import write_tensors

from ..conftest import TINY  # noqa: TID252  (tests are no package)


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one cell with everything that a run can hold; for reading only."""
    folder = tmp_path_factory.mktemp("reported")
    text = TINY.replace('metrics = ["ground_truth"]', 'metrics = ["ground_truth"]\ncontrols = ["blank", "noise"]')
    text = text.replace("[evaluation]", "[evaluation]\nsnapshots = [0.5]").replace(', "red-striped-car"', "")
    (folder / "tiny.toml").write_text(text.replace("[methods.sdi]\n", ""))
    study, store, console = load_study(folder / "tiny.toml"), RunStore(folder / "run"), Console(file=io.StringIO())
    run_study(study, store, console)
    score_study(study, store, console)
    report_study(study, store)
    return store.folder


@pytest.fixture
def run(reported: Path, tmp_path: Path) -> RunStore:
    return RunStore(Path(shutil.copytree(reported, tmp_path / "run")))


KINDS = (
    *("scores.parquet", "snapshots.parquet", "controls.parquet", "metric_columns.parquet", "events.parquet"),
    *("views.parquet", "cells.parquet", "controls/noise/*/rgb_001.png", "truth/*/opacity_000.png"),
    *("scores/sds--*/ground_truth-*.json", "scores/controls/blank/*/*.json", "meshes/*.glb", "report/index.html"),
    *("report/prompts/*.html", "report/tables/summary.json", "report/figures/*.svg", "report/figures/*.pdf"),
    *("report/tables/cost.md", "report/tables/cost.csv", "report/tables/robust.tex", "report/tables/variance.html"),
    *("report/images/grid.png", "report/thumbnails/*/*/*.webp", "cells/*/snapshots/*/rgb_000.png"),
)


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_whole_run_has_no_damage(run: RunStore) -> None:
    before = _contents(run.folder)
    assert list(find_damage(run)) == []
    assert main(["verify", str(run.folder)]) == 0
    assert _contents(run.folder) == before


@pytest.mark.parametrize("harm", [_half, lambda path: path.write_bytes(b"")], ids=["cut", "empty"])
def test_a_file_cut_short_is_found_set_aside_and_made_again(
    run: RunStore, console: Console, capsys: pytest.CaptureFixture[str], harm: Callable[[Path], None]
) -> None:
    paths = [min(run.folder.glob(pattern)) for pattern in KINDS]
    for path in paths:
        harm(path)
    broken = _contents(run.folder)
    assert main(["verify", str(run.folder), "--rescore", "0"]) == 1
    found = [line for line in capsys.readouterr().out.splitlines() if re.match("damaged: |corrupt: ", line)]
    assert [path for path in paths if not any(str(path) in line for line in found)] == []
    assert len(found) == len(paths)
    assert _contents(run.folder) == broken
    assert main(["verify", str(run.folder), "--redo"]) == 1
    assert [path for path in paths if path.exists()] == []
    kept = list(_contents(run.folder / "set-aside").values())
    assert all(broken[str(path.relative_to(run.folder))] in kept for path in paths)
    study = run.read_study()
    run_study(study, run, console)
    score_study(study, run, console)
    report_study(study, run)
    assert main(["verify", str(run.folder)]) == 0
    assert all(any(run.folder.glob(pattern)) for pattern in KINDS)


@pytest.mark.parametrize("harm", [_half, lambda path: path.write_bytes(b""), Path.unlink], ids=["cut", "empty", "gone"])
def test_score_and_report_make_again_whatever_is_not_there_whole(
    run: RunStore, console: Console, harm: Callable[[Path], None]
) -> None:
    paths = [min(run.folder.glob(pattern)) for pattern in KINDS if not pattern.startswith("cells/")]
    before = _contents(run.folder)
    for path in paths:
        harm(path)
    study = run.read_study()
    score_study(study, run, console)
    report_study(study, run)
    assert list(find_damage(run)) == []
    after = _contents(run.folder)
    assert after.keys() == before.keys()
    same = [name for name in before if name.endswith((".png", ".json", ".glb", "scores.parquet"))]
    assert [name for name in same if after[name] != before[name]] == []


@pytest.mark.parametrize(
    "frame",
    [pd.DataFrame({"x": [1.0]}), pd.DataFrame(), pd.DataFrame({"cell": ["a"], "value": ["x"], "step": ["y"]})],
    ids=["other", "empty", "types"],
)
def test_tables_of_another_schema_are_found_and_made_again(
    run: RunStore, console: Console, frame: pd.DataFrame
) -> None:
    paths = {run.folder / f"{name}.parquet" for name in TABLES}
    for path in paths:
        frame.to_parquet(path, index=False)
    assert {damage.path for damage in find_damage(run)} == paths
    study = run.read_study()
    score_study(study, run, console)
    report_study(study, run)
    assert list(find_damage(run)) == []


def test_other_files_of_a_run_are_read_too_and_left_where_they_are(
    run: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    (run.folder / "note.toml").write_text("a = ")
    (run.folder / "note.json").write_text("{")
    assert main(["verify", str(run.folder), "--redo"]) == 1
    out = capsys.readouterr().out
    assert len(re.findall(r"^damaged: .*note\.", out, re.MULTILINE)) == 2
    assert "set aside" not in out


def test_every_file_of_a_report_that_is_cut_at_the_end_of_a_line_a_tag_or_a_brace_is_found(run: RunStore) -> None:
    report = run.folder / "report"
    paths = [path for path in sorted(report.rglob("*.*")) if path.suffix in {".md", ".csv", ".tex", ".html", ".json"}]
    assert len(paths) > 20
    for path in paths:
        content = path.read_bytes()
        end = max(content.rfind(mark, 0, -2) for mark in (b"\n", b">", b"}")) + 1
        path.write_bytes(content[:end])
    expected = [f"{path}: is cut short or was changed; report the run again" for path in paths]
    assert sorted(damage.line for damage in find_damage(run)) == sorted(expected)
    (report / "index.html").unlink()
    assert f"{report}/index.html: is missing; report the run again" in [damage.line for damage in find_damage(run)]


def test_the_checksums_of_a_report_are_sha256sum_s(run: RunStore) -> None:
    report = run.folder / "report"
    (report / "note.txt").write_text("a user's own")
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "sha256sums.txt"], cwd=report, check=True)
    listed = report / "sha256sums.txt"
    assert len(listed.read_text().splitlines()) == len([path for path in report.rglob("*") if path.is_file()]) - 2
    listed.unlink()
    assert [damage.line for damage in find_damage(run)] == [f"{listed}: is missing; report the run again"]


def test_a_checkpoint_that_is_cut_short_is_found(run: RunStore) -> None:
    path = run.folder / "checkpoints" / "a.safetensors"
    write_tensors({}, path)
    assert list(find_damage(run)) == []
    _half(path)
    [damage] = find_damage(run)
    assert damage.path == path
    assert not damage.is_unreadable


def test_an_image_that_is_whole_but_wrong_inside_is_found(run: RunStore, capsys: pytest.CaptureFixture[str]) -> None:
    path = min(run.folder.glob("truth/*/rgb_000.png"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    assert main(["verify", str(run.folder), "--redo"]) == 1
    assert f"damaged: {path}" in capsys.readouterr().out
    assert not path.exists()


def test_a_table_that_is_gone_is_found_once_the_run_is_scored(run: RunStore) -> None:
    (run.folder / "snapshots.parquet").unlink()
    [damage] = find_damage(run)
    assert damage.line.endswith("snapshots.parquet: is missing; score the run again")
    (run.folder / "scores.parquet").unlink()
    assert list(find_damage(run)) == []


def test_a_study_in_which_no_cell_completed_is_reported_and_goes_on(
    study: Study, study_file: Path, tmp_path: Path, console: Console
) -> None:
    """Each cell crosses the bound of an empty scene, and then each is run again with success."""
    text = study_file.read_text().replace(
        "[evaluation]", "[divergence]\nempty_opacity = 1.0\npatience = 1\n[evaluation]"
    )
    study_file.write_text(text)
    lost, store = load_study(study_file), RunStore(tmp_path / "run")
    run_study(lost, store, console)
    assert score_study(lost, store, console).empty
    table = report_study(lost, store).tables[0]
    assert [row.label for row in table.rows] == ["sds", "sdi"]
    assert main(["verify", str(store.folder)]) == 0
    shutil.rmtree(store.folder / "cells")
    store.write_study(study)  # without the bound: other cells in the same folder, with the caches of the lost ones
    run_study(study, store, console)
    assert len(score_study(study, store, console))
    assert report_study(study, store).tables[0].rows
    assert main(["verify", str(store.folder)]) == 0


@pytest.mark.parametrize("ending", ["crashed", "timeout"])
def test_a_study_in_which_every_cell_failed_is_reported(
    study: Study, tmp_path: Path, console: Console, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path / "run")
    failing = study.model_copy(update={"time_limit_seconds": 1e-9})
    if ending == "crashed":  # before the first step: no events, no views
        failing = study
        monkeypatch.setattr("bench.cells.run_cell.Optimisation", lambda *_: 1 / 0)
    run_study(failing, store, console)
    for _ in range(2):
        assert score_study(failing, store, console).empty
        assert report_study(failing, store).page.is_file()
    assert main(["verify", str(store.folder)]) == 0


@pytest.mark.parametrize("views", [1, 2])
def test_one_cell_with_one_view_is_a_study(study: Study, tmp_path: Path, console: Console, views: int) -> None:
    ring = EvaluationSettings(views=views, resolution=8)
    small = study.narrow(methods=["sds"], prompt_ids=["blue-duck"]).model_copy(update={"evaluation": ring})
    store = RunStore(tmp_path / "run")
    run_study(small, store, console)
    assert len(score_study(small, store, console)) == 6 * views
    assert len(report_study(small, store).tables[0].rows) >= 1
    assert main(["verify", str(store.folder)]) == 0

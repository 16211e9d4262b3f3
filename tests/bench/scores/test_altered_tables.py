"""Tables that are not what is kept, on a run with controls and snapshots."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from bench.commands.run import run_study
from bench.commands.score import score_study
from bench.records.record import Record
from bench.records.store import RunStore
from bench.scores.altered_tables import Altered, altered_tables
from bench.scores.control_views import sample_views
from bench.study.expand import expand
from bench.study.study import Study, load_study
from metrics import metrics

from ..conftest import TINY  # noqa: TID252  (tests are no package)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scored")
    text = TINY.replace(
        'metrics = ["ground_truth"]', 'metrics = ["ground_truth", "detail"]\ncontrols = ["blank", "prior_2d"]'
    )
    (folder / "tiny.toml").write_text(text.replace("[evaluation]", "[evaluation]\nsnapshots = [0.5]"))
    study, store = load_study(folder / "tiny.toml"), RunStore(folder / "run")
    run_study(study, store, Console(file=io.StringIO()))
    score_study(study, store, Console(file=io.StringIO()))
    return store.folder


@pytest.fixture
def run(scored: Path, tmp_path: Path) -> RunStore:
    return RunStore(Path(shutil.copytree(scored, tmp_path / "run")))


def _altered(store: RunStore) -> list[Altered]:
    study = store.read_study()
    scorers = [metrics[name](study.scorer_suite) for name in study.metrics]
    records: list[Record] = store.read_all(expand(study))
    samples, _ = sample_views(study, scorers, study.chosen_prompts(), store, makes=False)
    return list(altered_tables(study, store, records, scorers, samples))


def test_a_whole_run_has_none(run: RunStore) -> None:
    assert _altered(run) == []


@pytest.mark.parametrize(
    ("name", "owner", "line"),
    [
        ("scores", "sds", "scores.parquet: 2 cells of sds have other scores than are kept (psnr by 1); --redo"),
        ("snapshots", "sdi", "snapshots.parquet: 2 snapshots of sdi have other scores than are kept (psnr by 1); "),
        ("controls", "blank", "controls.parquet: 2 prompts of blank have other scores than are kept (psnr by 1); "),
    ],
)
def test_another_value_is_found_by_table_and_owner(run: RunStore, name: str, owner: str, line: str) -> None:
    path = run.folder / f"{name}.parquet"
    frame = pd.read_parquet(path)
    mine = (frame["control" if name == "controls" else "method"] == owner) & (frame["metric"] == "psnr")
    assert mine.any()
    frame.loc[mine, "value"] += 1
    frame.to_parquet(path, index=False)
    [altered] = _altered(run)
    assert altered.table == name
    assert altered.line.startswith(line)
    parent = run.folder / "scores"
    folders = [parent / "controls" / owner] if name == "controls" else list(parent.glob(f"{owner}--*"))
    assert set(altered.kept) == ({*folders[0].iterdir()} if name == "controls" else set(folders))


def test_a_value_that_came_or_went_is_found(run: RunStore) -> None:
    path = run.folder / "scores.parquet"
    frame = pd.read_parquet(path)
    frame.loc[frame.index[0], "value"] = float("nan")
    frame.to_parquet(path, index=False)
    [altered] = _altered(run)
    assert "1 cell of sds has" in altered.line
    assert " by a value)" in altered.line


def test_what_is_not_kept_is_not_known(run: RunStore) -> None:
    shutil.rmtree(run.folder / "scores")
    path = run.folder / "scores.parquet"
    frame = pd.read_parquet(path)
    frame.assign(value=0.0).to_parquet(path, index=False)
    assert _altered(run) == []


def test_images_of_a_control_that_were_changed_are_made_again_with_the_same_scores(run: RunStore, study: Study) -> None:
    before = pd.read_parquet(run.folder / "controls.parquet")
    images = {path: path.read_bytes() for path in sorted(run.folder.glob("controls/*/*/rgb_*.png"))}
    for path in images:
        Image.new("RGB", (8, 8)).save(path)
    score_study(run.read_study(), run, Console(file=io.StringIO()))
    assert {path: path.read_bytes() for path in images} == images
    pd.testing.assert_frame_equal(pd.read_parquet(run.folder / "controls.parquet"), before)

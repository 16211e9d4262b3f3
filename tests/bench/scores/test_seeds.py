"""Scores that compare the seeds of an arm, and those against the prior's own images where the truth is known."""

from __future__ import annotations

import io
import multiprocessing
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import bench.commands.score as score_module
from bench.commands.run import run_study
from bench.commands.score import score_study
from bench.commands.verify import verify_run
from bench.records.reading import read_png
from bench.records.store import RunStore
from bench.scores import control_views
from bench.scores.scoring import score_view_sets
from bench.scores.truth import truth_folders
from bench.scores.view_set import ViewSet, cell_sets, snapshot_sets
from bench.study.expand import expand
from bench.study.pinning import pin
from bench.study.study import Study
from metrics import metrics
from metrics.cmmd import Cmmd
from metrics.diversity import Diversity
from metrics.models.clip import load_clip
from metrics.suites import find_suite
from metrics.views import Views


@pytest.fixture(scope="module")
def run_of_seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three seeds of one prompt, with snapshots, not scored."""
    return tmp_path_factory.mktemp("seeds") / "run"


@pytest.fixture
def seeded(study: Study) -> Study:
    fields = {"metrics": ("diversity",), "seeds": (0, 1, 2), "prompt_ids": ("blue-duck",)}
    evaluation = study.evaluation.model_copy(update={"snapshots": (0.5,), "snapshot_views": 3})
    return pin(study.model_copy(update={**fields, "evaluation": evaluation}))


@pytest.fixture
def store(seeded: Study, run_of_seeds: Path, tmp_path: Path, console: Console) -> RunStore:
    if not run_of_seeds.exists():
        run_study(seeded, RunStore(run_of_seeds), console)
        truth_folders(seeded.chosen_prompts()[0], seeded.evaluation, run_of_seeds / "truth")  # otherwise once per test
    shutil.copytree(run_of_seeds, tmp_path / "run")
    return RunStore(tmp_path / "run")


def values(frame: pd.DataFrame, method: str) -> np.ndarray:
    """Scores by seed and view."""
    rows = frame[(frame["method"] == method) & (frame["metric"] == "diversity")]
    return rows.pivot_table(index="seed", columns="view", values="value").to_numpy()


def test_the_table_s_mean_is_one_minus_that_of_all_pairs_of_seeds(
    seeded: Study, store: RunStore, console: Console
) -> None:
    frame = score_study(seeded, store, console)
    clip = load_clip(find_suite("toybox").folder("clip"))
    for method in ("sds", "sdi"):
        cells = [cell for cell in expand(seeded) if cell.label == method]
        features = []
        for cell in cells:
            views = store.read(cell).views
            rgb = np.stack([read_png(store.cell_folder(cell) / view.rgb) for view in views])
            features.append(clip.image_features(rgb).double().numpy())
        cosines = [(a * b).sum(axis=1).mean() for a, b in combinations(features, 2)]
        assert values(frame, method).mean() == pytest.approx(1 - np.mean(cosines), abs=1e-12)
    assert "no diversity" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_snapshots_are_compared_at_the_same_step(seeded: Study, store: RunStore) -> None:
    records = store.read_all(expand(seeded))
    snapshots = [(record, snapshot) for record in records for snapshot in record.snapshots]
    prompts = {prompt.id: prompt for prompt in seeded.chosen_prompts()}
    sets = snapshot_sets(snapshots, prompts, store)
    assert len(sets) == 6
    for views, (record, snapshot) in zip(sets, snapshots, strict=True):
        others = [each for each in records if each.cell.label == record.cell.label and each is not record]
        assert [other.identity for other in views.others] == [
            [[each.identity, each.method_sha256, each.started_at], "snapshot", snapshot.step] for each in others
        ]


def test_views_from_other_directions_are_not_compared(seeded: Study, store: RunStore) -> None:
    """An arm may be of images that other people rendered, seed by seed."""
    records = [record for record in store.read_all(expand(seeded)) if record.cell.label == "sds"]
    turned = [view.model_copy(update={"azimuth_deg": view.azimuth_deg + 1}) for view in records[2].views]
    records[2] = records[2].model_copy(update={"views": tuple(turned)})
    sets = cell_sets(records, {prompt.id: prompt for prompt in seeded.chosen_prompts()}, store)
    assert [len(views.others) for views in sets] == [1, 1, 0]


def test_a_single_seed_has_no_value_and_one_line_says_so(seeded: Study, store: RunStore) -> None:
    out = io.StringIO()
    frame = score_study(seeded.narrow(seeds=[1]), store, Console(file=out, width=300))
    assert frame.empty
    line = "no diversity for 2 of 2 completed cells: the arm has no other seed of the prompt that completed"
    assert out.getvalue().count(line) == 1


def test_a_cell_is_scored_again_when_another_seed_is_there(
    seeded: Study, store: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its score is kept by the seeds that it was compared with; a metric of one scene keeps its scores."""
    asked: list[int] = []
    score = Diversity.score

    def counted(self: Diversity, views: Views, *texts: Any) -> dict[str, np.ndarray]:
        asked.append(len(views.others))
        return score(self, views, *texts)

    monkeypatch.setattr(Diversity, "score", counted)
    study = seeded.model_copy(update={"metrics": ("diversity", "clip_score")})
    folder = store.cell_folder(expand(seeded)[-1])  # the last seed of sdi
    away = folder.rename(store.folder.parent / "away")
    two = score_study(study, store, console)
    assert sorted(asked) == [1] * 4 + [2] * 6  # cells and snapshots
    asked.clear()
    away.rename(folder)
    three = score_study(study, store, console)
    assert asked == [2] * 6  # those of sdi
    assert not np.array_equal(values(two, "sdi"), values(three, "sdi")[:2])
    np.testing.assert_array_equal(values(two, "sds"), values(three, "sds"))
    asked.clear()
    pd.testing.assert_frame_equal(score_study(study, store, console), three)
    assert asked == []


def test_a_helper_gives_the_same(seeded: Study, store: RunStore, console: Console) -> None:
    frame = score_study(seeded, store, console)
    shutil.rmtree(store.folder / "scores")
    score_module._help(seeded, store.folder, 0.5)
    count = len(list((store.folder / "scores").rglob("*.json")))
    pd.testing.assert_frame_equal(score_study(seeded, store, console), frame)
    assert len(list((store.folder / "scores").rglob("*.json"))) == count == 12


def test_verify_compares_with_the_seeds_that_were_scored(seeded: Study, store: RunStore, console: Console) -> None:
    """Not with those that came later, nor at all where one of them is corrupt."""
    folder = store.cell_folder(expand(seeded)[-1])
    away = folder.rename(store.folder.parent / "away")
    score_study(seeded, store, console)
    away.rename(folder)
    out = io.StringIO()
    verify_run(seeded, store, Console(file=out, width=300), rescored=6)
    [line] = [each for each in out.getvalue().splitlines() if each.startswith("score: ")]
    assert folder.name in line
    assert "not there; score the run again" in line
    frame = score_study(seeded, store, console)
    (store.cell_folder(expand(seeded)[1]) / "record.json").write_text("{")
    out = io.StringIO()
    assert not verify_run(seeded, store, Console(file=out, width=300), rescored=6)
    assert "corrupt" in out.getvalue()
    assert "score: " not in out.getvalue()
    shutil.rmtree(store.folder / "scores")  # with which the table is compared elsewhere
    frame.assign(value=frame["value"] + 0.1).to_parquet(store.folder / "scores.parquet")
    out = io.StringIO()
    verify_run(seeded, store, Console(file=out, width=300), rescored=6)
    assert out.getvalue().count("score: scores.parquet: diversity of sds") == 3
    assert "diversity of sdi" not in out.getvalue()


def test_the_prior_s_diversity_is_among_its_images_of_the_same_words(
    seeded: Study, store: RunStore, console: Console
) -> None:
    """At three views two are sides, and the only front has nothing to be compared with."""
    score_study(seeded.model_copy(update={"controls": ("prior_2d", "blank")}), store, console)
    frame = pd.read_parquet(store.folder / "controls.parquet").set_index("control")["value"]
    assert frame["blank"].isna().all()
    assert np.isnan(frame["prior_2d"]).sum() == 1
    [first, second] = frame["prior_2d"].dropna()
    assert 0 < first == pytest.approx(second)


def test_images_that_no_scorer_compares_with_are_not_read(
    seeded: Study, store: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = {prompt.id: prompt for prompt in seeded.chosen_prompts()}
    sets = cell_sets(store.read_all(expand(seeded)), prompts, store)
    read: list[ViewSet] = []
    original = ViewSet.read
    monkeypatch.setattr(ViewSet, "read", lambda views: read.append(views) or original(views))
    for names in (("clip_score",), ("clip_score", "diversity")):
        score_view_sets(sets[:1], [metrics[name]("toybox") for name in names], ["a"], console, "cells")
    assert [len(views.others) for views in read] == [0, 2]


def test_cmmd_needs_the_prior_s_images_where_the_truth_is_known_too(
    seeded: Study, store: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = seeded.model_copy(update={"metrics": ("cmmd",), "controls": ("prior_2d", "noise")})
    frame = score_study(study, store, console)
    assert frame["value"].notna().all()
    assert len(frame) == 6 * 3
    mean = pd.read_parquet(store.folder / "controls.parquet").groupby("control")["value"].mean()
    assert np.isnan(mean["prior_2d"])  # three images are no two halves
    assert mean["noise"] > 0
    before = len(list((store.folder / "scores").rglob("cmmd-*.json")))
    monkeypatch.setattr(control_views, "SAMPLING_STEPS", 3)
    score_study(study, store, console)
    after = len(list((store.folder / "scores").rglob("cmmd-*.json")))
    assert after > before  # other images of the prior are other scores


def test_images_for_cmmd_change_no_key_of_a_metric_that_knows_the_truth(
    seeded: Study, store: RunStore, console: Console
) -> None:
    def keys() -> set[str]:
        return {path.name for path in (store.folder / "scores").rglob("detail-*.json")}

    score_study(seeded.model_copy(update={"metrics": ("detail",)}), store, console)
    before = keys()
    score_study(seeded.model_copy(update={"metrics": ("detail", "cmmd")}), store, console)
    assert keys() == before


def test_without_the_prior_one_line_says_which_metrics_lack_its_images(seeded: Study, store: RunStore) -> None:
    assert seeded.pinned
    prior = seeded.prior.model_copy(update={"name": "/none/such"})
    study = seeded.model_copy(update={"metrics": ("cmmd", "detail"), "prior": prior})
    out = io.StringIO()
    frame = score_study(study, store, Console(file=out, width=600))
    assert set(frame["metric"]) >= {"detail"}
    assert "cmmd" not in set(frame["metric"])
    [line] = [each for each in out.getvalue().splitlines() if "tiny: no " in each]
    assert line.startswith("tiny: no cmmd for 1 of 1 prompts, for which there are no images of the prior: ")
    assert "detail" not in line


def test_helpers_are_not_started_for_what_is_scored(
    seeded: Study, store: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the scores depend on other seeds and on the prior's images."""
    study = seeded.model_copy(update={"metrics": ("cmmd", "diversity", "ground_truth")})
    score_study(study, store, console)
    monkeypatch.setattr(score_module, "_WORTH_A_PROCESS", 1)
    monkeypatch.setattr(score_module, "cpu_workers", lambda threads: 2)
    monkeypatch.setattr(Cmmd, "score", lambda *_: pytest.fail("scored again"))
    with score_module._Stage(study, store, console).helped():
        assert not multiprocessing.active_children()

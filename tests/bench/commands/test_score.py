from __future__ import annotations

import importlib.util
import io
import multiprocessing
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console

import bench.commands.score as score_module
from bench.commands.report import report_study
from bench.commands.score import score_study
from bench.errors import InputError, StorageError
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.study import Study
from methods.priors.pipeline.settings import choose_device
from methods.registry import UnknownNameError
from methods.weights import WeightsError
from metrics import metrics
from metrics.card import MetricCard
from metrics.ground_truth import GroundTruth
from metrics.r_precision import RPrecision
from metrics.suites import find_suite
from metrics.views import Views
from prompts import load_prompt_set


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Prompts that the ground-truth metric is asked about."""
    asked = []
    score = GroundTruth.score

    def counted(self: GroundTruth, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        asked.append(prompt)
        return score(self, views, prompt, candidates)

    monkeypatch.setattr(GroundTruth, "score", counted)
    return asked


def test_one_row_for_each_cell_view_and_column(study: Study, finished: RunStore, console: Console) -> None:
    frame = score_study(study, finished, console)
    assert len(frame) == 4 * 3 * 6
    assert set(frame["metric"]) == {column.name for column in metrics["ground_truth"].columns}
    assert sorted(frame["azimuth_deg"].unique()) == [-120.0, 0.0, 120.0]
    pd.testing.assert_frame_equal(frame, pd.read_parquet(finished.folder / "scores.parquet"))


def test_what_is_scored_is_read_back(study: Study, finished: RunStore, console: Console, calls: list[str]) -> None:
    before = pd.read_parquet(finished.folder / "scores.parquet")
    pd.testing.assert_frame_equal(score_study(study, finished, console), before)
    assert calls == []
    [path] = (finished.folder / "scores" / expand(study)[0].folder_name).iterdir()
    path.unlink()
    pd.testing.assert_frame_equal(score_study(study, finished, console), before)
    assert calls == ["a blue duck"]


def test_a_helper_leaves_nothing_to_score(study: Study, finished: RunStore, console: Console, calls: list[str]) -> None:
    """It begins elsewhere and goes round; a study that it cannot score is left to the process that it helps."""
    before = pd.read_parquet(finished.folder / "scores.parquet")
    shutil.rmtree(finished.folder / "scores")
    score_module._help(study, finished.folder, 0.5)
    assert calls[0] == expand(study)[2].prompt
    count = len(calls)
    pd.testing.assert_frame_equal(score_study(study, finished, console), before)
    assert len(calls) == count == 4
    score_module._help(study.model_copy(update={"metrics": ("none",)}), finished.folder, 0.5)


def test_helpers_are_processes_for_many_views_on_a_cpu(
    study: Study, finished: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pd.read_parquet(finished.folder / "scores.parquet")
    shutil.rmtree(finished.folder / "scores")
    monkeypatch.setattr(score_module, "cpu_workers", lambda threads: 2)
    for least, expected in ((12, 1), (13, 0)):  # four cells of three views
        monkeypatch.setattr(score_module, "_WORTH_A_PROCESS", least)
        with score_module._Stage(study, finished, console).helped():
            assert len(multiprocessing.active_children()) == expected
    assert not multiprocessing.active_children()
    monkeypatch.setattr(score_module, "_WORTH_A_PROCESS", 1)
    pd.testing.assert_frame_equal(score_study(study, finished, console), before)


def test_prompts_that_a_scorer_does_not_read_to_the_end_are_named_with_its_columns(
    study: Study, finished: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line when they are scored, and a note of the report, which needs no scorer."""
    monkeypatch.setattr(GroundTruth, "tokens_cut", lambda self, text: 3 if "striped" in text else 0, raising=False)
    out = io.StringIO()
    score_study(study, finished, Console(file=out, width=300))
    sentence = (
        "PSNR, SSIM, IoU, PSNR aligned, SSIM aligned, IoU aligned: 1 of 2 prompts are too long for its text encoder, "
        "which does not read their end: red-striped-car"
    )
    assert f"tiny: {sentence}" in out.getvalue()
    monkeypatch.undo()
    page = report_study(study, finished).page.read_text(encoding="utf-8")
    assert sentence in page


def test_a_new_version_of_a_metric_scores_anew(
    study: Study, finished: RunStore, console: Console, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = GroundTruth.__init__

    def newer(self: GroundTruth, models: str, device: str) -> None:
        start(self, models, device)
        self.card = self.card.model_copy(update={"version": 99})

    monkeypatch.setattr(GroundTruth, "__init__", newer)
    score_study(study, finished, console)
    assert len(calls) == 4


def test_without_a_record_nothing_is_written(study: Study, tmp_path: Path, console: Console) -> None:
    with pytest.raises(InputError, match=r"run: has no records of tiny yet; run it first"):
        score_study(study, RunStore(tmp_path / "run"), console)
    assert not (tmp_path / "run").exists()


def test_cells_that_did_not_complete_have_no_scores(study: Study, tmp_path_factory: pytest.TempPathFactory) -> None:
    from bench.commands.run import run_study

    console = Console(file=io.StringIO())
    short = study.model_copy(update={"time_limit_seconds": 1e-9})
    store = RunStore(tmp_path_factory.mktemp("short") / "run")
    run_study(short, store, console)
    assert score_study(short, store, console).empty
    assert pd.read_parquet(store.folder / "scores.parquet").empty


def test_scorers_compute_where_the_environment_says(
    study: Study, finished: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SDIBENCH_DEVICE", "gpu")
    with pytest.raises(WeightsError, match="SDIBENCH_DEVICE = 'gpu': must be cpu, cuda or cuda:<number>"):
        score_study(study, finished, console)
    monkeypatch.delenv("SDIBENCH_DEVICE")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    start, devices = GroundTruth.__init__, []
    monkeypatch.setattr(GroundTruth, "__init__", lambda self, *given: devices.append(given[1]) or start(self, *given))
    score_study(study, finished, console)
    assert devices == ["cpu"]  # the toybox's scorers are small
    assert choose_device(uses_gpu=find_suite("sd21").uses_gpu) == "cuda"


def test_a_metric_of_a_package_that_is_not_installed_is_one_line(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnknownNameError) as caught:
        expand(study.model_copy(update={"metrics": ("pyiqa:musiq",)}))
    assert str(caught.value) == (
        "tiny: metrics: metric 'pyiqa:musiq' needs the package pyiqa, which is not installed: pip install '.[pyiqa]'"
    )


def test_the_printed_card_of_r_precision_agrees_with_the_candidates_of_scoring(
    study: Study, finished: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card counts the texts that were passed, which are those of the whole prompt set, and chance is printed."""
    passed: list[Sequence[str]] = []
    score = RPrecision.score

    def recorded(self: RPrecision, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        passed.append(candidates)
        return score(self, views, prompt, candidates)

    monkeypatch.setattr(RPrecision, "score", recorded)
    ranked = study.model_copy(update={"metrics": ("r_precision",)})
    score_study(ranked, finished, console)
    [text] = pd.read_parquet(finished.folder / "metric_columns.parquet")["card"]
    card = MetricCard.model_validate_json(text)
    whole = [prompt.text for prompt in load_prompt_set(study.prompts).prompts]
    assert all(list(candidates) == whole for candidates in passed)
    assert len(whole) > len(study.chosen_prompts())
    assert card.candidates == len(set(whole))
    assert dict(card.facts)["candidates"] == f"16, so chance is {100 / 16:.1f} %"
    table = report_study(ranked, finished).tables[0]
    assert any("16 candidates, so chance is 6.2 %" in footnote for footnote in table.footnotes)


@pytest.mark.usefixtures("permissions_hold")
def test_a_run_that_may_not_be_written_in_is_scored_where_nothing_is_missing(
    study: Study, finished: RunStore, console: Console
) -> None:
    """A reviewer may have the run of someone else."""
    folders = [finished.folder, *(path for path in finished.folder.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        score_study(finished.read_study(), finished, console)
        finished.write_study(finished.read_study())
        (finished.folder / "scores.parquet").chmod(0o444)
        with pytest.raises(StorageError, match=r"cannot be written .* or copy the run folder to where you may write"):
            score_study(study.model_copy(update={"metrics": ("ground_truth", "clip_score")}), finished, console)
    finally:
        for folder in folders:
            folder.chmod(0o755)

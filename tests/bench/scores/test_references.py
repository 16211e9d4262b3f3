"""Scores relative to the truth or to the prior's own images, which a run folder keeps."""

from __future__ import annotations

import copy
import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bench.commands.score import score_study
from bench.commands.verify import _scored_otherwise
from bench.records.store import RunStore
from bench.scores import control_views
from bench.scores.scoring import _path
from bench.scores.view_set import cell_views
from bench.study.expand import expand
from bench.study.pinning import pin
from bench.study.study import Study
from metrics import metrics

RELATIVE = ("detail", "saturation")


@pytest.fixture
def relative(study: Study) -> Study:
    return pin(study.model_copy(update={"metrics": RELATIVE}))


@pytest.fixture
def unknown(relative: Study) -> Study:
    """The same study with prompts whose truth is not known."""
    assert relative.pinned
    prompt_set = copy.deepcopy(relative.pinned.prompt_set)
    for prompt in prompt_set["prompts"]:  # type: ignore[union-attr]
        prompt["truth"] = None  # type: ignore[index,call-overload]
    return relative.model_copy(update={"pinned": relative.pinned.model_copy(update={"prompt_set": prompt_set})})


def without_prior(study: Study) -> Study:
    return study.model_copy(update={"prior": study.prior.model_copy(update={"name": "/none/such"})})


def key_files(store: RunStore, name: str) -> set[Path]:
    return set((store.folder / "scores").rglob(f"{name}-*.json"))


def test_with_a_truth_no_image_of_the_prior_is_made(relative: Study, finished: RunStore, console: Console) -> None:
    frame = score_study(relative, finished, console)
    found = frame.dropna(subset="value").groupby("metric").size()
    assert found[["detail", "right_detail", "saturation", "lightness"]].to_dict() == dict.fromkeys(
        ("detail", "right_detail", "saturation", "lightness"), 4 * 3
    )
    assert not (finished.folder / "controls").exists()


def test_without_a_truth_they_are_relative_to_the_prior_s_images(
    relative: Study, unknown: Study, finished: RunStore, console: Console
) -> None:
    """Also where the study has no control: the images are those of ``prior_2d``."""
    known = score_study(relative, finished, console)
    frame = score_study(unknown, finished, console)
    assert set(frame["metric"]) == set(known["metric"]) - {"right_detail"}
    ducks = [each[(each["metric"] == "detail") & (each["prompt_id"] == "blue-duck")] for each in (known, frame)]
    assert len(ducks[1]) == 2 * 3
    ratio = ducks[1]["value"].to_numpy() / ducks[0]["value"].to_numpy()
    np.testing.assert_allclose(ratio, ratio[0])  # another denominator for all views of a prompt
    assert ratio[0] != pytest.approx(1)
    made = {path.name.split("--")[0] for path in (finished.folder / "controls" / "prior_2d").iterdir()}
    assert made == {"blue-duck", "red-striped-car"}
    assert not console.file.getvalue().count("no detail")  # type: ignore[attr-defined]


def test_a_run_folder_is_scored_again_without_the_prior(
    unknown: Study, finished: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = score_study(unknown, finished, console)
    shutil.rmtree(finished.folder / "scores")
    monkeypatch.setattr(control_views, "_write", lambda *_: pytest.fail("made again"))
    pd.testing.assert_frame_equal(score_study(without_prior(unknown), finished, console), before)


def test_without_truth_and_images_there_are_no_values_and_one_line_says_so(unknown: Study, finished: RunStore) -> None:
    out = io.StringIO()
    console = Console(file=out, width=600)
    elsewhere = without_prior(unknown).model_copy(update={"metrics": (*RELATIVE, "ground_truth")})
    assert score_study(elsewhere, finished, console).empty  # no truth either
    line = (
        "tiny: no detail and saturation for 2 of 2 prompts, whose truth is not known and for which there are no images"
    )
    [found] = [each for each in out.getvalue().splitlines() if each.startswith("tiny: no ")]
    assert found.startswith(line)
    assert "/none/such" in found
    titles = pd.read_parquet(finished.folder / "metric_columns.parquet")["title"].tolist()
    assert {"Detail", "Right detail", "Saturation"} <= set(titles)


def test_some_prompts_may_lack_images(unknown: Study, finished: RunStore, console: Console) -> None:
    score_study(unknown.narrow(prompt_ids=["blue-duck"]), finished, console)
    frame = score_study(without_prior(unknown), finished, console)
    assert set(frame["prompt_id"]) == {"blue-duck"}
    assert "for 1 of 2 prompts" in console.file.getvalue()  # type: ignore[attr-defined]


def test_other_images_of_the_prior_are_another_key(
    unknown: Study, finished: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_study(unknown, finished, console)
    before = key_files(finished, "detail")
    monkeypatch.setattr(control_views, "SAMPLING_STEPS", 3)
    score_study(unknown, finished, console)
    assert len(key_files(finished, "detail")) == 2 * len(before)


def test_other_images_of_the_prior_do_not_matter_where_the_truth_is_known(
    relative: Study, finished: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_study(relative, finished, console)
    before = key_files(finished, "detail")
    monkeypatch.setattr(control_views, "SAMPLING_STEPS", 3)
    score_study(relative, finished, console)
    assert key_files(finished, "detail") == before


@pytest.mark.parametrize("name", ["ground_truth", "detail"])
def test_the_key_of_a_score_does_not_depend_on_how_prompts_are_averaged(
    relative: Study, finished: RunStore, name: str
) -> None:
    """A score that was cached before there were geometric means is still read."""
    scorer = metrics[name]("toybox")
    record = finished.read_all(expand(relative))[0]
    views = cell_views(record, relative.chosen_prompts()[0], finished)
    path = _path(views, scorer, [])
    columns = tuple(column.model_copy(update={"mean": "arithmetic"}) for column in scorer.card.columns)
    scorer.card = scorer.card.model_copy(update={"columns": columns})
    assert _path(views, scorer, []) == path


def test_the_prior_s_images_have_the_detail_of_the_truth_as_reference(
    relative: Study, finished: RunStore, console: Console
) -> None:
    score_study(relative.model_copy(update={"controls": ("blank", "noise", "prior_2d")}), finished, console)
    frame = pd.read_parquet(finished.folder / "controls.parquet")
    mean = frame.groupby(["control", "metric"])["value"].mean()
    assert mean["blank", "detail"] == 0
    assert mean["noise", "detail"] > 5 * mean["prior_2d", "detail"]
    assert 0 < mean["prior_2d", "detail"] != pytest.approx(1)
    assert np.isnan(mean["prior_2d", "right_detail"])  # no camera took them
    assert 0 < mean["prior_2d", "saturation"] != pytest.approx(1)


def test_without_a_truth_the_prior_s_images_are_their_own_reference(
    unknown: Study, finished: RunStore, console: Console
) -> None:
    score_study(unknown.model_copy(update={"controls": ("prior_2d",)}), finished, console)
    frame = pd.read_parquet(finished.folder / "controls.parquet")
    means = frame[frame["metric"] == "detail"].groupby("prompt_id")["value"].mean()
    np.testing.assert_allclose(means, 1)


def test_verify_computes_them_again(unknown: Study, finished: RunStore, console: Console) -> None:
    frame = score_study(unknown, finished, console)
    records = finished.read_all(expand(unknown))

    def lines(frame: pd.DataFrame) -> list[str]:
        found = _scored_otherwise(unknown, finished, records, records, frame)
        return [each.line for each in found if each.what == "score"]

    assert not lines(frame)
    shutil.rmtree(finished.folder / "scores")  # with which the table is compared elsewhere
    wrong = frame.assign(value=frame["value"] + 0.1 * (frame["metric"] == "detail"))
    found = [
        each.line for each in _scored_otherwise(unknown, finished, records, records, wrong) if each.what == "score"
    ]
    assert len(found) == 2  # the prior's images of the other prompt are of one colour
    assert all("scores.parquet: detail of" in line for line in found)

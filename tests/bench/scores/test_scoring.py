from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import bench.scores.scoring
from bench.errors import InputError
from bench.records.store import RunStore
from bench.scores.scoring import score_view_sets
from bench.scores.view_set import ViewSet, cell_views
from bench.study.expand import expand
from bench.study.study import Study
from metrics.card import Column, MetricCard
from metrics.views import Views


class Unhashed(Views):
    """Views by their identity, which arrays have no hash for."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


class Counted:
    """Mean brightness; remembers what it was shown."""

    columns = (Column(name="mean", title="Mean"),)
    card = MetricCard(
        columns=columns, name="mean", title="Mean", checkpoint="none", preprocessing="none",
        description="mean of the pixels; NaN for the first view",
    )  # fmt: skip
    role = None

    def __init__(self) -> None:
        self.scored: list[str] = []

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        self.scored.append(prompt)
        return {"mean": np.array([np.nan, *views.rgb.mean(axis=(1, 2, 3))[1:]])}


@pytest.fixture
def sets(study: Study, finished: RunStore) -> list[ViewSet]:
    prompts = {prompt.id: prompt for prompt in study.chosen_prompts()}
    records = finished.read_all(expand(study))
    return [cell_views(record, prompts[record.cell.prompt_id], finished) for record in records]


def test_each_set_is_scored_by_itself(sets: list[ViewSet], console: Console) -> None:
    scorer = Counted()
    scores = score_view_sets(sets, [scorer], ["a"], console, "cells")
    assert scorer.scored == ["a blue duck", "a blue duck", "a red striped car", "a red striped car"]
    for views, found in zip(sets, scores, strict=True):
        np.testing.assert_array_equal(found["mean"][1:], views.read().rgb.mean(axis=(1, 2, 3))[1:])
        assert np.isnan(found["mean"][0])


def test_only_what_is_not_scored_is_read(
    sets: list[ViewSet], console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again = Counted(), Counted()
    score_view_sets(sets[1:], [first], ["a"], console, "cells")
    read: list[Path] = []
    original = ViewSet.read
    monkeypatch.setattr(ViewSet, "read", lambda self: read.append(self.rgb[0]) or original(self))
    score_view_sets(sets, [again], ["a"], console, "cells")
    assert read == [sets[0].rgb[0]]
    assert again.scored == ["a blue duck"]
    score_view_sets(sets, [again], ["a", "b"], console, "cells")  # other candidates, other scores
    assert len(again.scored) == 1 + len(sets)


def test_an_edited_metric_scores_anew(sets: list[ViewSet], console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    first, again, edited = Counted(), Counted(), Counted()
    before = score_view_sets(sets, [first], ["a"], console, "cells")
    score_view_sets(sets, [again], ["a"], console, "cells")
    assert not again.scored
    monkeypatch.setattr(bench.scores.scoring, "class_sha256", lambda _: "e" * 64)
    after = score_view_sets(sets, [edited], ["a"], console, "cells")
    assert len(edited.scored) == len(sets)
    np.testing.assert_equal(after, before)
    monkeypatch.setattr(bench.scores.scoring, "class_sha256", lambda _: None)  # not known, such as in a notebook
    score_view_sets(sets, [again], ["a"], console, "cells")
    assert not again.scored


def test_scores_of_another_truth_are_other_scores(
    sets: list[ViewSet], console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are relative to the truth are made again when its images change, and others are kept."""
    scorer = Counted()
    views = [replace(sets[0], identity="one"), replace(sets[1], identity="two", truths=None)]
    assert views[0].prompt.truth is not None
    kept = [bench.scores.scoring._path(each, scorer, ["a"]) for each in views]
    assert kept[0].name == "mean-dfb46f83faba.json"  # as it was before the version was a part of it
    score_view_sets(views, [scorer], ["a"], console, "cells")
    assert len(scorer.scored) == 2
    monkeypatch.setattr(bench.scores.scoring, "TRUTH_VERSION", 2)
    score_view_sets(views, [scorer], ["a"], console, "cells")
    assert len(scorer.scored) == 3
    assert [
        bench.scores.scoring._path(each, scorer, ["a"]) == path for each, path in zip(views, kept, strict=True)
    ] == [
        False,
        True,
    ]


def test_a_metric_without_a_value_is_asked_once(sets: list[ViewSet], console: Console) -> None:
    """Such as one of the truth where none is known: the images are not read again each time."""

    class Silent(Counted):
        def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
            super().score(views, prompt, candidates)
            return {}

    scorer = Silent()
    for _ in range(2):
        assert score_view_sets(sets, [scorer], ["a"], console, "cells") == [{}] * len(sets)
    assert len(scorer.scored) == len(sets)


def test_the_next_images_are_read_while_these_are_scored_and_no_others(
    sets: list[ViewSet], console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a set that another process has scored in the meantime."""
    started = [threading.Event() for _ in sets]
    alive: weakref.WeakSet[Views] = weakref.WeakSet()
    most: list[int] = []
    read = ViewSet.read

    def counted(views: ViewSet) -> Views:
        most.append(len(alive) + 1)
        started[next(index for index, each in enumerate(sets) if each.rgb == views.rgb)].set()
        images = Unhashed(*(getattr(read(views), field) for field in ("rgb", "opacity", "azimuth_deg")))
        alive.add(images)
        return images

    class Waiting(Counted):
        def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
            found = super().score(views, prompt, candidates)
            following = len(self.scored)
            assert following == len(sets) or started[following].wait(30)
            assert following + 1 >= len(sets) or not started[following + 1].wait(0.05)
            return found

    monkeypatch.setattr(ViewSet, "read", counted)
    scorer = Waiting()
    score_view_sets(sets, [scorer], ["a"], console, "cells")
    assert len(scorer.scored) == len(sets)
    assert max(most) == 2


def test_images_that_cannot_be_read_end_scoring_after_those_before(sets: list[ViewSet], console: Console) -> None:
    sets[2].rgb[1].write_bytes(b"no image")
    scorer = Counted()
    with pytest.raises(InputError, match=r"rgb_001\.png: cannot be read as an image"):
        score_view_sets(sets, [scorer], ["a"], console, "cells")
    assert len(scorer.scored) == 2

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from bench.commands.score import score_study
from bench.records.store import RunStore
from bench.scores.missing_values import describe_missing
from bench.study.expand import expand
from bench.study.study import Study
from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.views import Views


class Partial:
    """A metric that has no value for the first view of each scene."""

    columns = (Column(name="partial", title="Partial"),)
    role = None
    words = "the mean"

    def __init__(self, models: object, device: str = "cpu") -> None:
        self.card = MetricCard(
            columns=self.columns, name="partial", title="Partial", checkpoint="none", preprocessing="none",
            description=self.words,
        )  # fmt: skip

    def score(self, views: Views, *_: object) -> dict[str, Any]:
        return {"partial": np.array([np.inf, *views.rgb[1:].mean(axis=(1, 2, 3))])}


class Said(Partial):
    """One whose card says so."""

    words = "The first view has No value."


@pytest.fixture
def records(finished: RunStore, study: Study) -> list:
    return [finished.read(cell) for cell in expand(study)]


@pytest.mark.parametrize(("metric", "is_told"), [(Partial, True), (Said, False)])
def test_views_without_a_value_are_counted_unless_the_card_tells_of_them(
    finished: RunStore, records: list, metric: type[Partial], is_told: bool
) -> None:
    scores = [{"partial": [1.0, float("nan"), 3.0]}, {"partial": [1.0, 2.0, 3.0]}, {}, {"partial": [float("inf")] * 3}]
    lines = list(describe_missing([metric("").card], records, scores))
    line = (
        "metric partial: no value (NaN or infinite) of partial for 4 of 9 views, first in "
        f"{records[0].cell.folder_name}; its card does not say that a view may have no value"
    )
    assert lines == [line] * is_told


def test_metrics_of_the_suite_are_silent_on_what_their_cards_tell(records: list) -> None:
    """Every metric that has no value for some views of a scene of a known truth, or of a single seed."""
    for name in ("saturation", "faces", "view_words", "detail", "diversity"):
        card = metrics[name]("toybox").card
        scores = [{column: [1.0, float("nan")] for column in card.column_names} for _ in records]
        assert list(describe_missing([card], records, scores)) == [], name


def test_scoring_tells_of_them(finished: RunStore, study: Study, console: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(metrics._found, "partial", Partial)
    score_study(study.model_copy(update={"metrics": ("ground_truth", "partial")}), finished, console)
    text = " ".join(console.file.getvalue().split())
    assert "tiny: metric partial: no value (NaN or infinite) of partial for 4 of 12 views, first in sds--" in text
    assert "metric ground_truth" not in text
    kept = json.loads(next(finished.folder.glob("scores/*/partial-*.json")).read_text())
    assert kept["partial"][0] is None

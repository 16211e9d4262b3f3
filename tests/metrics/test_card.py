"""Every registered metric says what it is, and gives the columns that it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from pydantic import ValidationError

from metrics import Suite, TruthViews, Views, metrics
from metrics.card import Column, MetricCard, metric_card

REGISTERED = ("clip_iqa", "clip_score", "ground_truth", "image_reward", "r_precision")


def test_the_suites_own_metrics_are_registered() -> None:
    assert set(REGISTERED) <= set(metrics.names())


@pytest.mark.parametrize("name", REGISTERED)
def test_card_is_complete_and_agrees_with_the_scores(suite: Suite, make_views: Callable[..., Views], name: str) -> None:
    metric = metrics[name](suite)
    views = make_views(3)
    views = dataclasses.replace(views, truths=[TruthViews("itself", views.rgb, views.opacity)])
    scores = metric.score(views, "a blue duck", ["a blue duck", "a red car"])
    card = metric.card
    assert card.name == name
    assert card.column_names == metric.columns == tuple(scores)
    assert all(values.shape == (3,) and values.dtype == np.float64 for values in scores.values())
    assert len(card.description) > 50
    assert len(card.weights_sha256) == (0 if name == "ground_truth" else 64)
    assert suite.name in card.checkpoint
    assert MetricCard.model_validate_json(card.model_dump_json()) == card


def test_first_column_speaks_for_the_card() -> None:
    column = Column(name="psnr", title="PSNR", unit="dB", higher_is_better=True)
    texts = {
        "name": "x",
        "title": "X",
        "checkpoint": "c",
        "weights_sha256": "",
        "preprocessing": "p",
        "description": "d",
    }
    card = metric_card(column, **texts)
    assert (card.unit, card.higher_is_better) == ("dB", True)
    with pytest.raises(ValidationError, match="must be those of column 'psnr'"):
        MetricCard(**{**card.model_dump(), "unit": "%"})

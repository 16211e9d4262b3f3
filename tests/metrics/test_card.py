"""Every registered metric has a card, and its scores have the columns of the card."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import pytest
from pydantic import ValidationError

from bench.scores.scoring import _NO_PART_OF_A_SCORE
from metrics import Suite, TruthViews, Views, metrics
from metrics.card import Column, MetricCard

REGISTERED = (
    "aesthetic", "clip_iqa", "clip_score", "cmmd", "detail", "diversity", "faces", "ground_truth", "hps",
    "image_reward", "pick_score", "r_precision", "saturation", "view_words",
)  # fmt: skip
WITHOUT_A_MODEL = ("detail", "faces", "ground_truth", "saturation")


def test_the_suites_own_metrics_are_registered() -> None:
    assert set(REGISTERED) <= set(metrics.names())


@pytest.mark.parametrize("name", REGISTERED)
def test_card_is_complete_and_agrees_with_the_scores(suite: Suite, make_views: Callable[..., Views], name: str) -> None:
    metric = metrics[name](suite)
    views = make_views(3)
    truth = TruthViews("itself", views.rgb, views.opacity, faceless=views.rgb)
    views = dataclasses.replace(views, truths=[truth], samples=views.rgb[1:], others=[views.rgb])
    scores = metric.score(views, "a blue duck", ["a blue duck", "a red car"])
    card = metric.card
    assert card.name == name
    assert card.columns == metric.columns
    assert card.column_names == tuple(scores)
    assert all(values.shape == (3,) and values.dtype == np.float64 for values in scores.values())
    assert len(card.description) > 50
    assert len(card.weights_sha256) == (0 if name in WITHOUT_A_MODEL else 64)
    assert suite.name in card.checkpoint
    assert MetricCard.model_validate_json(card.model_dump_json()) == card


def test_the_printed_card_has_the_versions_and_no_score_depends_on_them(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("clip_score", "r_precision"):
        card = metrics[name](suite).card
        assert "packages" not in dict(card.facts)
        printed = card.scored_among(["a", "b"], "toybox")
        for package in ("pillow", "torch", "torchvision"):
            assert f"{package} {version(package)}" in dict(printed.facts)["packages"]
        monkeypatch.setattr("metrics.card.version", lambda package: "99.0")
        other = card.scored_among(["a", "b"], "toybox")
        monkeypatch.undo()
        assert other.packages == "pillow 99.0, torch 99.0, torchvision 99.0"
        keys = [each.model_dump(mode="json", exclude=_NO_PART_OF_A_SCORE) for each in (printed, other)]
        assert keys[0] == keys[1]
        assert printed.difference(other, card.column_names[0]) is None
        assert MetricCard.model_validate_json(other.model_dump_json()).packages == other.packages


def test_direction_and_target_belong_together() -> None:
    assert Column(name="chroma", title="Chroma", direction="target", target=100.0).target == 100.0
    for fields in ({"direction": "target"}, {"target": 1.0}):
        with pytest.raises(ValidationError, match="direction = 'target' and a target belong together"):
            Column(name="chroma", title="Chroma", **fields)


@pytest.mark.parametrize("fields", [{}, {"direction": "target", "target": 0.0}])
def test_a_geometric_mean_is_of_ratios_to_a_target(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="column 'ratio': mean = 'geometric' is for ratios, which need a target"):
        Column(name="ratio", title="Ratio", mean="geometric", **fields)


def test_the_card_says_where_a_column_is_printed() -> None:
    facts = [
        Column(name="x", title="X", **fields).fact[1] for fields in ({}, {"headline": False}, {"group": "spectrum"})
    ]
    assert facts == [
        "X: higher is better",
        "X: higher is better; in files and on prompt pages only",
        "X: higher is better; in files and a figure only",
    ]


def test_the_card_of_r_precision_says_among_how_many_it_was_scored(suite: Suite) -> None:
    card = metrics["r_precision"](suite).card
    assert "the study's prompt set, chosen for the study or not" in card.description
    assert card.scored_among(["a", "b", "a"], "toybox").candidates == 2
    assert metrics["clip_score"](suite).card.scored_among(["a", "b"], "toybox").candidates is None


def test_prompts_that_are_cut_are_named_with_the_columns(suite: Suite) -> None:
    card = metrics["clip_score"](suite).card
    sentence = "are too long for its text encoder, which does not read their end"
    assert card.reading({"a": 0, "b": 0}).cut_of_columns == card.cut_of_columns == ""
    assert card.reading({"a": 0, "b": 3, "c": 1}).cut_of_columns == f"CLIP: 2 of 3 prompts {sentence}: b, c"
    many = card.reading({f"p{index}": 1 for index in range(8)})
    assert many.cut == f"8 of 8 prompts {sentence}: p0, p1, p2, p3, p4 and 3 more"
    earlier = MetricCard.model_validate_json(many.model_dump_json(exclude={"prompts_cut_ids"}))
    assert earlier.cut == f"8 of 8 prompts {sentence} and 8 more".replace(" and 8 more", "")

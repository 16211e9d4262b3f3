"""R-precision against the cosines of CLIP Score."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from metrics.clip_score import ClipScore
from metrics.r_precision import RPrecision
from metrics.suites import Suite
from metrics.views import Views

PROMPTS = ["a red striped car", "a blue duck", "a green mug"]


def test_counts_views_whose_own_prompt_scores_highest(suite: Suite, make_views: Callable[..., Views]) -> None:
    views = make_views(12)
    scores = np.stack([ClipScore(suite).score(views, prompt, [])["clip_score"] for prompt in PROMPTS])
    found = np.stack([RPrecision(suite).score(views, prompt, PROMPTS)["clip_top1"] for prompt in PROMPTS])
    np.testing.assert_array_equal(found, scores == scores.max(axis=0))
    np.testing.assert_array_equal(found.sum(axis=0), np.ones(12))


def test_repeated_candidates_change_nothing(suite: Suite, make_views: Callable[..., Views]) -> None:
    metric, views = RPrecision(suite), make_views(6)
    once = metric.score(views, PROMPTS[1], PROMPTS)["clip_top1"]
    np.testing.assert_array_equal(metric.score(views, PROMPTS[1], [*PROMPTS, *PROMPTS])["clip_top1"], once)


def test_own_prompt_must_be_a_candidate(suite: Suite, make_views: Callable[..., Views]) -> None:
    with pytest.raises(
        ValueError, match=r"candidates: 'a green mug' must be one of them, but is not among the 2 given"
    ):
        RPrecision(suite).score(make_views(1), "a green mug", PROMPTS[:2])

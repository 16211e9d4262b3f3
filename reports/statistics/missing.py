"""What to do about cells without a score: both answers, since neither is right alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from reports.frames import ReportError
from reports.statistics.scores import StudyScores


def on_common_prompts(scores: StudyScores) -> StudyScores:
    """Only the prompts that every method has a score for: all means are then over the same prompts.

    It flatters a method that diverges, because the prompts it lost are left out for all.
    """
    scored = (~np.isnan(scores.means)).any(axis=2).sum(axis=0)  # methods with a score, for each prompt
    return scores.of_prompts(
        [prompt for prompt, n in zip(scores.prompts, scored, strict=True) if n == len(scores.methods)]
    )


def with_blank_for_diverged(scores: StudyScores, divergence: StudyScores, blank: Mapping[str, float]) -> StudyScores:
    """All prompts, a diverged cell with the score of a blank picture: it shows nothing of its prompt.

    Cells that did not come to an end for other reasons (out of memory, crashed, not run) stay without a score.

    Args:
        scores: Scores of the completed cells.
        divergence: ``StudyScores.divergence`` of the same cells.
        blank: Score of the blank control for each prompt slug, in the unit of ``scores``; NaN where the metric is
            not defined for it.

    Raises:
        ReportError: If the two are of different studies, or a diverged cell's prompt has no control.
    """
    axes = [(each.methods, each.prompts, each.seeds) for each in (scores, divergence)]
    if axes[0] != axes[1]:
        raise ReportError("scores and divergence must have the same methods, prompts and seeds")
    lost = divergence.means == 1
    missing = [prompt for prompt, any_lost in zip(scores.prompts, lost.any(axis=(0, 2)), strict=True) if any_lost]
    missing = [prompt for prompt in missing if prompt not in blank]
    if missing:
        raise ReportError(f"prompt {missing[0]!r} has a diverged cell but no score of the blank control")
    control = np.array([blank.get(prompt, np.nan) for prompt in scores.prompts])
    return replace(scores, means=np.where(lost, control[None, :, None], scores.means))

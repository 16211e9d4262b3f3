"""Imputation of scores of diverged cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from reports.frames import ReportError
from reports.statistics.scores import StudyScores


def with_blank_for_diverged(scores: StudyScores, divergence: StudyScores, blank: Mapping[str, float]) -> StudyScores:
    """Give each diverged cell the score of a blank image, since it shows nothing of its prompt.

    Cells that failed for other reasons (out of memory, crashed, not run) remain without a score.

    Args:
        scores: Scores of the completed cells.
        divergence: Result of ``StudyScores.divergence`` for the same cells.
        blank: Score of the blank control for each prompt slug, in the unit of ``scores``; NaN where the metric is
            not defined for it.

    Raises:
        ReportError: If the two belong to different studies, or a diverged cell's prompt has no control.
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

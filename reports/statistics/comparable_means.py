"""Means of methods of which some lack prompts, made comparable."""

from __future__ import annotations

import numpy as np

from reports.statistics.scores import StudyScores
from reports.statistics.values import Floats, prompt_means


def comparable_means(scores: StudyScores) -> dict[str, float]:
    """Return the mean over prompts of each method that has a score, by label.

    A method that failed on hard prompts has a higher mean over its own prompts than it deserves.  So where prompts are
    missing, means are those of the least-squares fit of an effect of the method plus one of the prompt (adjusted means
    of a two-way layout): of two methods alone their difference is the mean paired difference.

    Args:
        scores: One metric of a study.
    """
    scored = [method for method in scores.methods if len(prompt_means(scores.method(method)))]
    table = np.stack([_by_prompt(scores.method(method)) for method in scored]) if scored else np.empty((0, 0))
    table = table[:, ~np.isnan(table).all(axis=0)]
    if not np.isfinite(table).all() and not np.isinf(table).any():
        return dict(zip(scored, _fitted(table), strict=True))
    return {method: float(prompt_means(scores.method(method)).mean()) for method in scored}


def _by_prompt(values: Floats) -> Floats:
    """Average ``(prompts, seeds)`` over seeds; NaN for a prompt without a value."""
    found = np.full(len(values), np.nan)
    found[~np.isnan(values).all(axis=1)] = prompt_means(values)
    return found


def _fitted(table: Floats) -> list[float]:
    """The methods' effects, ``(methods,)``, with prompts' effects of mean 0, from ``(methods, prompts)`` with NaN."""
    methods, prompts = table.shape
    rows, columns = np.nonzero(~np.isnan(table))
    design = np.zeros((len(rows) + 1, methods + prompts))
    places = np.arange(len(rows))
    design[places, rows] = design[places, methods + columns] = 1.0
    design[-1, methods:] = 1.0
    wanted = np.append(table[rows, columns], 0.0)
    return [float(value) for value in np.linalg.lstsq(design, wanted, rcond=None)[0][:methods]]

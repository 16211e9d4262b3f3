"""Scores of view sets, one after the other: what is scored already is read back."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from bench.records.atomic import write_atomically
from bench.scores.view_set import ViewSet
from metrics import Metric

#: A score for each view, by column.
Scores = dict[str, list[float]]


def score_view_sets(
    sets: Sequence[ViewSet], scorers: Sequence[Metric], candidates: Sequence[str], console: Console, what: str
) -> list[Scores]:
    """The scores of each set; each is on disk as soon as it is known.

    Args:
        sets: What to score.
        scorers: What to score with.
        candidates: The texts that a set's prompt is to be told from.
        console: Where a bar is shown, if it is a terminal.
        what: What the sets are, for the bar.
    """
    missing = [views for views in sets if any(_kept(views, each, candidates) is None for each in scorers)]
    hidden = not console.is_terminal or not missing
    for views in track(missing, f"scoring {what}", console=console, transient=True, disable=hidden):
        _score(views, scorers, candidates)
    return [_read(views, scorers, candidates) for views in sets]


def _score(views: ViewSet, scorers: Sequence[Metric], candidates: Sequence[str]) -> None:
    pictures = views.read()
    for scorer in scorers:
        if _kept(views, scorer, candidates) is None:
            scores = {
                column: [float(value) if math.isfinite(value) else None for value in values]
                for column, values in scorer.score(pictures, views.prompt.text, candidates).items()
            }
            write_atomically(_path(views, scorer, candidates), json.dumps(scores))


def _read(views: ViewSet, scorers: Sequence[Metric], candidates: Sequence[str]) -> Scores:
    scores: Scores = {}
    for scorer in scorers:
        for column, values in (_kept(views, scorer, candidates) or {}).items():
            scores[column] = [math.nan if value is None else value for value in values]
    return scores


def _kept(views: ViewSet, scorer: Metric, candidates: Sequence[str]) -> dict[str, list[float | None]] | None:
    """Scores from the cache; None where they are not there, or not what a scorer writes."""
    try:
        scores = json.loads(_path(views, scorer, candidates).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    is_whole = isinstance(scores, dict) and set(scores) <= set(scorer.card.column_names) and bool(scores)
    return scores if is_whole and all(_are_values(values, len(views)) for values in scores.values()) else None


def _are_values(values: Any, count: int) -> bool:
    is_list = isinstance(values, list) and len(values) == count
    return is_list and all(value is None or isinstance(value, int | float) for value in values)


def _path(views: ViewSet, scorer: Metric, candidates: Sequence[str]) -> Path:
    """Named by all that a score depends on: the pictures, the metric as its card has it, the texts, the truth."""
    truth = views.prompt.truth.model_dump() if views.prompt.truth and views.truths else None
    parts = [views.identity, scorer.card.model_dump(mode="json"), list(candidates), truth]
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
    name = scorer.card.name.replace(":", "-")  # pyiqa:musiq, on systems where a colon is no part of a name
    return views.scores / f"{name}-{key}.json"

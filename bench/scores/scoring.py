"""Score view sets one after the other, while the images of the next are read; scores that exist are read."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from bench.records.atomic import write_atomically
from bench.scores.checked_scores import checked_scores
from bench.scores.truth import TRUTH_VERSION
from bench.scores.view_set import ViewSet
from bench.watch.code_hashes import class_sha256
from metrics import Metric
from metrics.views import Views

#: Fields of a card that say what is done with a score, or what is a part of its key in full.
_NO_PART_OF_A_SCORE: Any = {
    "candidates_sha256": True,
    "packages": True,
    "prompts_cut": True,
    "prompts_cut_ids": True,
    "suite": True,
    "uses_references": True,
    "uses_samples": True,
    "uses_seeds": True,
    "columns": {"__all__": {"mean"}},
}

#: The version of the truth's images that is not written into keys, which were made before there was another.
_FIRST_TRUTH_VERSION = 1

#: Key of a file of scores under which it has the hash of the metric's code; no column is called so.
_CODE = "code_sha256"

#: A score for each view, by column.
Scores = dict[str, list[float]]


def score_view_sets(
    sets: Sequence[ViewSet], scorers: Sequence[Metric], candidates: Sequence[str], console: Console, what: str
) -> list[Scores]:
    """Return the scores of each set; each is written to disk as soon as it is known.

    Args:
        sets: Views to score.
        scorers: Loaded metrics.
        candidates: Texts among which R-precision looks for a set's own prompt.
        console: Shows a progress bar, if it is a terminal.
        what: Name of the sets for the progress bar.

    Raises:
        InputError: If an image cannot be read, or a metric gives values that are not those of its card.
        RunError: If a metric fails.
    """
    missing = [views for views in sets if not is_scored(views, scorers, candidates)]
    hidden = not console.is_terminal or not missing
    shown = track(missing, f"scoring {what}", console=console, transient=True, disable=hidden)
    with ThreadPoolExecutor(1) as reader:
        ahead = [reader.submit(_read_images, views, scorers, candidates) for views in missing[:1]]
        for views, following in zip_longest(shown, missing[1:]):
            unscored, images = ahead.pop().result()
            if following is not None:  # read while these are scored: two sets are in memory, never more
                ahead.append(reader.submit(_read_images, following, scorers, candidates))
            if images is not None:
                _score(views, images, unscored, candidates)
    return [kept_scores(views, scorers, candidates) for views in sets]


def is_scored(views: ViewSet, scorers: Sequence[Metric], candidates: Sequence[str]) -> bool:
    """Say whether all scores of the set are on disk."""
    return all(_cached(views, scorer, candidates) is not None for scorer in scorers)


def _read_images(
    views: ViewSet, scorers: Sequence[Metric], candidates: Sequence[str]
) -> tuple[list[Metric], Views | None]:
    """Read what the scorers need that have not scored the views yet; None if another process has, for all of them."""
    missing = [scorer for scorer in scorers if _cached(views, scorer, candidates) is None]
    return missing, with_needed(views, missing).read() if missing else None


def _score(views: ViewSet, images: Views, scorers: Sequence[Metric], candidates: Sequence[str]) -> None:
    for scorer in scorers:
        if _cached(views, scorer, candidates) is not None:  # another process has scored it in the meantime
            continue
        scores: dict[str, Any] = {
            column: [float(value) if math.isfinite(value) else None for value in values]
            for column, values in checked_scores(
                scorer, images, views.prompt.text, candidates, f"{views.scores.name} ({views.rgb[0].parent})"
            ).items()
        }
        if (code := class_sha256(type(scorer))) is not None:
            scores = {_CODE: code, **scores}
        write_atomically(_path(views, scorer, candidates), json.dumps(scores))


def kept_scores(views: ViewSet, scorers: Sequence[Metric], candidates: Sequence[str]) -> Scores:
    """Return the scores of the set that are on disk."""
    scores: Scores = {}
    for scorer in scorers:
        for column, values in (_cached(views, scorer, candidates) or {}).items():
            scores[column] = [math.nan if value is None else value for value in values]
    return scores


def _cached(views: ViewSet, scorer: Metric, candidates: Sequence[str]) -> dict[str, list[float | None]] | None:
    """Read scores from the cache; None if they are missing, malformed, or of other code of the metric."""
    try:
        scores = json.loads(_path(views, scorer, candidates).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    code = scores.pop(_CODE, None) if isinstance(scores, dict) else None
    if None not in (code, now := class_sha256(type(scorer))) and code != now:
        return None
    is_whole = isinstance(scores, dict) and set(scores) <= set(scorer.card.column_names)
    return scores if is_whole and all(_are_values(values, len(views)) for values in scores.values()) else None


def _are_values(values: Any, count: int) -> bool:
    is_list = isinstance(values, list) and len(values) == count
    return is_list and all(value is None or isinstance(value, int | float) for value in values)


def with_needed(views: ViewSet, scorers: Sequence[Metric]) -> ViewSet:
    """Leave out the images that none of the scorers compares the views with."""
    samples = views.samples if any(_sees_samples(views, scorer) for scorer in scorers) else None
    others = views.others if any(scorer.card.uses_seeds for scorer in scorers) else ()
    return replace(views, samples=samples, others=others)


def _sees_samples(views: ViewSet, scorer: Metric) -> bool:
    """Say whether scores of the views depend on the prior's images: those relative to the truth do only without it."""
    return scorer.card.uses_samples or (scorer.card.uses_references and views.prompt.truth is None)


def _path(views: ViewSet, scorer: Metric, candidates: Sequence[str]) -> Path:
    """Name the file by everything that a score depends on: images, card, texts, truth, the prior's images, seeds."""
    is_relative = scorer.card.uses_references
    sees_truth = views.truths or (is_relative and views.objects)
    truth = views.prompt.truth.model_dump() if views.prompt.truth and sees_truth else None
    card = scorer.card.model_dump(mode="json", exclude=_NO_PART_OF_A_SCORE)
    parts = [views.identity, card, list(candidates), truth]
    if truth is not None and TRUTH_VERSION > _FIRST_TRUTH_VERSION:
        parts.append({"truth_version": TRUTH_VERSION})
    if views.samples and _sees_samples(views, scorer):
        parts.append(views.samples.identity)
    if scorer.card.uses_seeds:
        parts.append([other.identity for other in views.others])
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
    name = scorer.card.name.replace(":", "-")  # pyiqa:musiq, because some systems allow no colon in a name
    return views.scores / f"{name}-{key}.json"

"""The stage ``score``: records to one long table of per-view scores."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from bench.divergence import Status
from bench.event_table import event_table
from bench.expand import check_metrics, chosen_prompts, expand
from bench.frames import SCORE_COLUMNS, write_frame
from bench.record import Record
from bench.store import RunStore, write_atomically
from bench.study import Study
from bench.truth import read_pictures, read_truth, truth_folders
from metrics import metrics
from metrics.views import Views
from prompts import Prompt, load_prompt_set


def score_study(study: Study, store: RunStore, console: Console) -> pd.DataFrame:
    """Score every completed cell with the study's metrics and write ``scores.parquet`` and ``metric_columns.parquet``.

    Cells that diverged or failed have no scores: the report counts them instead.  What is scored already is read
    back, not computed again.

    Returns:
        The table of scores, one row for each cell × view × column.

    Raises:
        InputError: If a record is corrupt or a name is unknown.
        WeightsError: If a scorer's weights are missing or others than their card names.
    """
    check_metrics(study)
    prompts = {prompt.id: prompt for prompt in chosen_prompts(study)}
    records = [record for cell in expand(study) if (record := store.read(cell)) and record.status is Status.COMPLETED]
    scorers = [metrics[name](study.scorer_suite) for name in study.metrics]
    # the whole set, so that the figure does not depend on which of its prompts a study takes
    candidates = [prompt.text for prompt in load_prompt_set(study.prompts).prompts]
    rows: list[dict[str, Any]] = []
    hidden = not console.is_terminal
    for record in track(records, "scoring", console=console, transient=True, disable=hidden):
        scores = _score_record(record, scorers, prompts[record.cell.prompt_id], candidates, store)
        rows.extend(_rows(record, scores))
    frame = pd.DataFrame(rows, columns=list(SCORE_COLUMNS))
    write_frame(frame, store.folder / "scores.parquet")
    write_frame(_columns_frame(scorers), store.folder / "metric_columns.parquet")
    event_table(records, store)  # kept for the report, which then has little left to parse
    console.print(f"{study.name}: {len(records)} completed cells scored, {len(frame)} values")
    return frame


def _score_record(
    record: Record, scorers: Sequence[Any], prompt: Prompt, candidates: Sequence[str], store: RunStore
) -> dict[str, list[float]]:
    """Scores by column, each a value for each view; from the cache where they are there."""
    folder = store.folder / "scores" / record.cell.folder_name
    views: Views | None = None
    found: dict[str, list[float]] = {}
    for scorer in scorers:
        name = scorer.card.name.replace(":", "-")  # pyiqa:musiq, on systems where a colon is no part of a name
        path = folder / f"{name}-{_key(record, scorer, prompt, candidates)}.json"
        if path.is_file():
            scores = json.loads(path.read_text(encoding="utf-8"))
        else:
            views = views or _views(record, prompt, store)
            scores = {
                column: [float(value) if math.isfinite(value) else None for value in values]
                for column, values in scorer.score(views, prompt.text, candidates).items()
            }
            write_atomically(path, json.dumps(scores))
        found |= {
            column: [math.nan if value is None else value for value in values] for column, values in scores.items()
        }
    return found


def _key(record: Record, scorer: Any, prompt: Prompt, candidates: Sequence[str]) -> str:
    """Of everything that a score depends on: the cell, the metric as its card has it, the texts, the truth."""
    truth = prompt.truth.model_dump() if prompt.truth else None
    parts = [record.identity, scorer.card.model_dump(mode="json"), list(candidates), truth]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _views(record: Record, prompt: Prompt, store: RunStore) -> Views:
    pictures = store.cell_folder(record.cell) / "views"
    folders = truth_folders(prompt, record.cell.evaluation, store.folder / "truth")
    return Views(
        rgb=read_pictures(pictures, "rgb"),
        opacity=read_pictures(pictures, "opacity"),
        azimuth_deg=np.array([view.azimuth_deg for view in record.views]),
        truths=tuple(read_truth(folder) for folder in folders),
    )


def _rows(record: Record, scores: dict[str, list[float]]) -> list[dict[str, Any]]:
    cell = record.cell
    shared = {"cell": record.identity, "method": cell.label, "prompt_id": cell.prompt_id, "prompt": cell.prompt}
    return [
        {**shared, "seed": cell.seed, "view": view, "azimuth_deg": azimuth, "metric": column, "value": value}
        for column, values in scores.items()
        for view, (azimuth, value) in enumerate(zip([v.azimuth_deg for v in record.views], values, strict=True))
    ]


def _columns_frame(scorers: Sequence[Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "metric": column.name,
                "title": column.title,
                "unit": column.unit,
                "higher_is_better": column.higher_is_better,
                "decimals": column.decimals,
                "scale": column.scale,
                "card": scorer.card.model_dump_json(),
            }
            for scorer in scorers
            for column in scorer.card.columns
        ]
    )

"""Paired differences to a baseline: the same prompt and seed, so that hard prompts cancel out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from reports.frames import ReportFrames
from reports.means import asset_means, entry
from reports.summary import PICTURE_SCORES, TRUTH_SCORES, score_columns
from reports.table import Column, Entry, Row, Table


def differences_table(frames: ReportFrames, notes: Sequence[str], *, baseline: str) -> Table:
    """Method − baseline for each score, with wins, ties and losses over prompts.  It tests nothing.

    Args:
        frames: The study's results.
        notes: Sentences that the caption must carry.
        baseline: Label of the arm that is subtracted.
    """
    assets = asset_means(frames)
    scores = score_columns(frames, (*PICTURE_SCORES, *TRUTH_SCORES))
    others = [method for method in frames.methods if method != baseline]
    rows = [Row(method, tuple(_difference(assets, column, method, baseline) for column in scores)) for method in others]
    caption = (
        f"Each entry is the mean of method − {baseline} ± SD over prompts (n pairs; wins/ties/losses).",
        "Cells are paired by prompt and seed, and seeds are averaged first; only pairs where both cells completed "
        "count. A win is a difference in the column's better direction. No significance is claimed.",
        *notes,
    )
    columns = tuple(replace(column, signed=True) for column in scores)
    return Table("differences", f"Paired differences to {baseline}", caption, "Method", columns, tuple(rows))


def _difference(assets: pd.DataFrame, column: Column, method: str, baseline: str) -> Entry:
    scores = assets[assets["metric"] == column.key].set_index(["prompt_id", "seed"])
    ours = scores.loc[scores["method"] == method, "value"]
    pairs = (ours - scores.loc[scores["method"] == baseline, "value"]).dropna()
    per_prompt = pairs.groupby(level="prompt_id", sort=False).mean()
    if column.direction is None or per_prompt.empty:
        return entry(per_prompt)
    signs = np.sign(per_prompt) * (1 if column.direction == "up" else -1)
    return entry(per_prompt, text="/".join(str(int((signs == sign).sum())) for sign in (1, 0, -1)))

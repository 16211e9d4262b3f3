"""From views to prompts: the one place that says what is averaged over what.

A view is a repeated measure of its asset, and a seed of its prompt; the prompt is the independent unit.
"""

from __future__ import annotations

import pandas as pd

from reports.frames import ReportFrames
from reports.table import Entry


def asset_means(frames: ReportFrames) -> pd.DataFrame:
    """Mean over the views of each completed cell: ``method, prompt_id, seed, metric, value``, scaled for print.

    Views whose score is NaN are left out (a metric may be defined for back views only); an asset without
    any defined view has no row.
    """
    completed = frames.cells.loc[frames.cells["status"] == "completed", ["cell", "method", "prompt_id", "seed"]]
    keyed = frames.scores[["cell", "metric", "value"]].dropna(subset="value")
    scale = frames.metric_columns.set_index("metric")["scale"].astype(float)
    means = keyed.groupby(["cell", "metric"], sort=False)["value"].mean().reset_index()
    means["value"] *= means["metric"].map(scale).astype(float)
    return completed.merge(means, on="cell", validate="1:m").drop(columns="cell")


def prompt_means(assets: pd.DataFrame) -> pd.DataFrame:
    """Mean over the seeds of each prompt: ``method, metric, prompt_id, value``."""
    return assets.groupby(["method", "metric", "prompt_id"], sort=False)["value"].mean().reset_index()


def entry(values: pd.Series, *, text: str = "", note: str = "") -> Entry:
    """Mean, SD (n − 1) and number of the per-prompt values; neither mean nor SD is made up where undefined."""
    n = len(values)
    return Entry(
        mean=float(values.mean()) if n else None,
        sd=float(values.std(ddof=1)) if n > 1 else None,
        n=n,
        text=text,
        note=note,
    )


def common_prompts(frames: ReportFrames) -> list[str]:
    """Slugs of the prompts for which every method has at least one completed cell, in the study's order."""
    completed = frames.cells[frames.cells["status"] == "completed"]
    methods = completed.groupby("prompt_id")["method"].nunique()
    return [prompt for prompt in frames.prompts if methods.get(prompt, 0) == len(frames.methods)]

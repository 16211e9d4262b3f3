"""From views to prompts.

A view is a repeated measure of its asset, and a seed of its prompt; the prompt is the independent unit.
"""

from __future__ import annotations

import pandas as pd

from reports.frames import ReportFrames


def asset_means(frames: ReportFrames) -> pd.DataFrame:
    """Average over the views of each completed cell: ``method, prompt_id, seed, metric, value``, in printed units.

    Views whose score is NaN are left out (a metric may be defined for back views only); an asset without any defined
    view has no row.
    """
    completed = frames.cells.loc[frames.cells["status"] == "completed", ["cell", "method", "prompt_id", "seed"]]
    keyed = frames.scores[["cell", "metric", "value"]].dropna(subset="value")
    scale = frames.metric_columns.set_index("metric")["scale"].astype(float)
    means = keyed.groupby(["cell", "metric"], sort=False)["value"].mean().reset_index()
    means["value"] *= means["metric"].map(scale).astype(float)
    return completed.merge(means, on="cell", validate="1:m").drop(columns="cell")


def common_prompts(frames: ReportFrames) -> list[str]:
    """List the prompts of which every method completed at least one cell, in the study's order."""
    completed = frames.cells[frames.cells["status"] == "completed"]
    methods = completed.groupby("prompt_id")["method"].nunique()
    return [prompt for prompt in frames.prompts if methods.get(prompt, 0) == len(frames.methods)]


def control_means(frames: ReportFrames, control: str, metric: str) -> dict[str, float]:
    """Average a metric over the views of a control, for each prompt that has it, in the printed unit."""
    rows = frames.controls
    rows = rows[(rows["control"] == control) & (rows["metric"] == metric)]
    scale = float(frames.metric_columns.set_index("metric")["scale"].astype(float)[metric])
    means = rows.assign(value=rows["value"].astype(float)).groupby("prompt_id")["value"].mean().dropna()
    return {str(prompt): scale * float(value) for prompt, value in means.items()}

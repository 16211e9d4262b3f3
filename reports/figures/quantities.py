"""The numbers of one prompt under one method that figures put on an axis: scores, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd

from reports.frames import ReportError, ReportFrames
from reports.means import asset_means, prompt_means
from reports.render.printed import heading
from reports.tables.columns import score_columns

#: Columns of cells that can stand where a metric does: unit, and how many of the column's own make one.
COSTS: Final = {"optimise_seconds": ("time", "s", 1.0), "unet_rows": ("UNet rows", "thousands", 1e3)}


@dataclass(frozen=True)
class Quantity:
    """One number for each method and prompt."""

    label: str
    table: pd.DataFrame  # method, prompt_id, value; completed cells only, mean over seeds


def quantity(frames: ReportFrames, name: str) -> Quantity:
    """The quantity called ``name``, a metric's column or one of ``COSTS``.

    Raises:
        ReportError: If there is none of that name.
    """
    if name in COSTS:
        title, unit, size = COSTS[name]
        completed = frames.cells[frames.cells["status"] == "completed"].astype({name: float})
        values = completed.groupby(["method", "prompt_id"], sort=False)[name].mean() / size
        return Quantity(f"{title} ({unit})", values.rename("value").reset_index())
    columns = {column.key: column for column in score_columns(frames)}
    if name not in columns:
        raise ReportError(f"metrics: {name!r} is not one of {', '.join([*columns, *COSTS])}")
    means = prompt_means(asset_means(frames))
    return Quantity(heading(columns[name]), means.loc[means["metric"] == name, ["method", "prompt_id", "value"]])

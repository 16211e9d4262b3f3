"""The numbers of one prompt under one method that figures put on an axis: scores, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from reports.frames import ReportError, ReportFrames
from reports.means import asset_means, prompt_means
from reports.render.printed import heading
from reports.statistics import StudyScores
from reports.tables.columns import score_columns

#: Columns of cells that can stand where a metric does: unit, and how many of the column's own make one.
COSTS: Final = {"optimise_seconds": ("time", "s", 1.0), "unet_rows": ("UNet rows", "thousands", 1e3)}


@dataclass(frozen=True)
class Quantity:
    """One number for each method and prompt, of completed cells only."""

    name: str
    label: str
    higher_is_better: bool | None  # None for neither
    scores: StudyScores
    table: pd.DataFrame  # method, prompt_id, value; mean over seeds


def quantities(frames: ReportFrames, names: Sequence[str]) -> list[Quantity]:
    """The quantities called ``names``, each a metric's column or one of ``COSTS``.

    Raises:
        ReportError: If there is none of a name.
    """
    columns = {column.key: column for column in score_columns(frames)}
    assets = asset_means(frames)
    found = []
    for name in names:
        if name in COSTS:
            title, unit, size = COSTS[name]
            own = frames.cells[frames.cells["status"] == "completed"].astype({name: float})
            own = own.assign(metric=name, value=own[name] / size)
            label, direction = f"{title} ({unit})", "down"
        elif name in columns:
            own, label = assets[assets["metric"] == name], heading(columns[name])
            direction = columns[name].direction or ""
        else:
            raise ReportError(f"metrics: {name!r} is not one of {', '.join([*columns, *COSTS])}")
        better = {"up": True, "down": False}.get(direction)
        table = prompt_means(own)[["method", "prompt_id", "value"]]
        found.append(Quantity(name, label, better, StudyScores.of(own, frames.cells, name), table))
    return found


def quantity(frames: ReportFrames, name: str) -> Quantity:
    """The quantity called ``name``.

    Raises:
        ReportError: If there is none of that name.
    """
    return quantities(frames, (name,))[0]

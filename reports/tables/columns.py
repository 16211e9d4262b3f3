"""Columns of scores and of costs, as every table has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from reports.frames import ReportFrames
from reports.table import Column, Direction

#: Scores of pictures and text, in the order of the SDI paper's Table 1; those that a study lacks are left out.
PICTURE_SCORES: Final = ("clip_score", "quality", "sharpness", "real", "image_reward", "clip_top1")
#: Comparisons with the ground truth, for worlds that have one.
TRUTH_SCORES: Final = ("psnr", "ssim", "iou", "janus")
#: Seconds from which a column of times is in minutes.
_LONG = 1200.0


@dataclass(frozen=True)
class Cost:
    """A column of what a cell cost."""

    column: Column
    source: str  # column of ReportFrames.cells
    size: float  # of one unit of the column, in units of the source


def score_columns(frames: ReportFrames, names: Sequence[str] | None = None) -> list[Column]:
    """Columns of the metrics called ``names`` that the frames have (all, where None), in that order."""
    cards = {str(card["metric"]): card for card in frames.metric_columns.to_dict("records")}
    chosen = list(cards) if names is None else [name for name in names if name in cards]
    columns = []
    for name in chosen:
        better = cards[name]["higher_is_better"]
        direction: Direction | None = None if pd.isna(better) else "up" if better else "down"
        unit = cards[name]["unit"]
        columns.append(
            Column(
                key=name,
                title=str(cards[name]["title"]),
                unit="" if pd.isna(unit) else str(unit),
                direction=direction,
                decimals=int(cards[name]["decimals"]),
            )
        )
    return columns


def table_scores(frames: ReportFrames) -> list[Column]:
    """The scores that a table shows: of pictures, then against the ground truth."""
    return score_columns(frames, (*PICTURE_SCORES, *TRUTH_SCORES))


def cost_columns(frames: ReportFrames) -> list[Cost]:
    """Time, memory, energy where any cell knows it, and the rows that the prior's network evaluated."""
    cells = frames.cells
    completed = cells.loc[cells["status"] == "completed", "optimise_seconds"].astype(float)
    minutes = bool((completed >= _LONG).any())
    kinds = memory_kinds(cells)
    memory = f"memory ({kinds})" if kinds and "+" not in kinds else "memory"
    costs = [
        Cost(
            Column("time", "time", "min" if minutes else "s", "down", decimals=1),
            "optimise_seconds",
            60.0 if minutes else 1.0,
        ),
        Cost(Column("memory", memory, "GB", "down"), "peak_bytes", 1e9),
    ]
    if cells["energy_joules"].notna().any():
        costs.append(Cost(Column("energy", "energy", "kJ", "down", decimals=1), "energy_joules", 1e3))
    costs.append(Cost(Column("unet_rows", "UNet rows", "10³", "down", decimals=1), "unet_rows", 1e3))
    return costs


def memory_kinds(cells: pd.DataFrame) -> str:
    """What the cells' peak memory counts: ``rss``, ``cuda``, or both where machines differ."""
    return " + ".join(sorted(set(cells["peak_kind"].dropna())))

"""The numbers of a report, and how they are written as a few small files."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from reports.claim import Claim
from reports.frames import CELLS, METRIC_COLUMNS, ReportFrames
from reports.means import asset_means, control_means
from reports.table import Table
from reports.tables import Reproduction, all_tables
from reports.tables.footnotes import CARD_FACTS

#: Number of the files' format, raised when the meaning of a column or key changes.
FORMAT: Final = 1
#: Columns of cells that are paths on the machine that ran them, or too long for a table.
_LEFT_OUT: Final = ("settings", "mesh_path", "folder")
#: Columns of a control's rows that are no scores.
CONTROL_KEYS: Final = ("control", "title", "prompt_id", "prompt")


@dataclass(frozen=True)
class ReportData:
    """The frames and texts that the tables of a report are made of."""

    frames: ReportFrames
    title: str
    baseline: str
    """Label of the arm that others are compared with."""
    own_baselines: Mapping[str, str] = field(default_factory=dict)
    """Label of another arm that an arm is compared with, by that arm's label."""
    notes: Sequence[str] = ()
    """Sentences that every caption carries."""
    claims: Sequence[Claim] = ()
    """Claims of papers about the arms."""
    reproduction: Reproduction = field(default_factory=Reproduction)
    """Published tables to show next to the results."""

    def tables(self) -> list[Table]:
        """Build every table for which there is data; the first is the main one.

        Raises:
            ReportError: As ``all_tables``.
        """
        return all_tables(
            self.frames,
            self.notes,
            baseline=self.baseline,
            own_baselines=self.own_baselines,
            claims=self.claims,
            reproduction=self.reproduction,
        )

    def files(self) -> dict[str, str]:
        """Return the content of each file by its name.

        ``cells.csv`` has a row for each cell: the columns of ``reports.frames.CELLS`` without paths and settings, and
        each score, averaged over the cell's views, in its printed unit.  ``controls.csv`` has the same for the
        controls, ``columns.csv`` title, unit and direction of each score, and ``tables.json`` the rest, and how many
        rows each has.  Reasons of failures are as the cells gave them, and may have a path in them.
        """
        facts = self.frames.cells[[name for name in CELLS if name not in _LEFT_OUT]]
        metrics = [str(metric) for metric in self.frames.metric_columns["metric"]]
        keys = ["method", "prompt_id", "seed"]
        assets = asset_means(self.frames)
        wide = assets.set_index([*keys, "metric"])["value"].unstack("metric")  # noqa: PD010  (one value each, no mean)
        wide = wide.reindex(columns=metrics).reset_index()
        columns = self.frames.metric_columns[list(METRIC_COLUMNS)]
        frames = {
            "cells": facts.merge(wide, on=keys, how="left"),
            "controls": self._controls(metrics),
            "columns": columns.assign(scale=1.0, card=columns["card"].map(_short_card)),
        }
        others = {
            "format": FORMAT,
            "rows": {name: len(frame) for name, frame in frames.items()},
            "title": self.title,
            "baseline": self.baseline,
            "own_baselines": dict(self.own_baselines),
            "notes": list(self.notes),
            "claims": [asdict(claim) for claim in self.claims],
            "reproduction": asdict(self.reproduction),
        }
        tables = json.dumps(others, ensure_ascii=False, indent=1) + "\n"
        return {f"{name}.csv": _csv(frame) for name, frame in frames.items()} | {"tables.json": tables}

    def _controls(self, metrics: Sequence[str]) -> pd.DataFrame:
        rows = self.frames.controls[list(CONTROL_KEYS)].drop_duplicates()
        for metric in metrics:
            means = {name: control_means(self.frames, name, metric) for name in rows["control"].unique()}
            pairs = zip(rows["control"], rows["prompt_id"], strict=True)
            rows[metric] = np.array([means[name].get(prompt, np.nan) for name, prompt in pairs])
        return rows


def _short_card(card: Any) -> str:
    """Keep of a metric's card what footnotes print."""
    if not isinstance(card, str) or not card:
        return ""
    return json.dumps({key: value for key, value in json.loads(card).items() if key in CARD_FACTS}, ensure_ascii=False)


def _csv(frame: pd.DataFrame) -> str:
    text = io.StringIO()
    frame = frame.replace("\r", " ", regex=True)  # which a reader of CSV takes for the end of a line
    # of a number all digits, so that it is read back as it was
    frame.to_csv(text, index=False, lineterminator="\n")
    return text.getvalue()

"""The numbers of a report as a few small files, from which its tables can be made again without the run."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from reports.claim import Claim
from reports.frames import CELLS, CONTROLS, EVENTS, METRIC_COLUMNS, SCORES, VIEWS, ReportError, ReportFrames
from reports.means import asset_means, control_means
from reports.table import Table
from reports.tables import Reproduction, all_tables
from reports.tables.footnotes import CARD_FACTS

#: Number of the files' format, raised when the meaning of a column or key changes.
FORMAT: Final = 1
#: Columns of cells that are paths on the machine that ran them, or too long for a table.
_LEFT_OUT: Final = ("settings", "mesh_path", "folder")
#: Columns of cells that are numbers.
_NUMBERS: Final = (
    "seed", "steps", "seconds", "optimise_seconds", "peak_bytes", "reserved_bytes", "energy_joules", "attempts",
    "unet_calls", "unet_rows",
)  # fmt: skip
_CONTROL_KEYS: Final = ("control", "title", "prompt_id", "prompt")


@dataclass(frozen=True)
class ReportData:
    """What the tables of a report are made of."""

    frames: ReportFrames
    title: str
    baseline: str
    """Label of the arm that others are compared with."""
    own_baselines: Mapping[str, str] = field(default_factory=dict)
    """Label of another arm that an arm is compared with, by that arm's label."""
    notes: Sequence[str] = ()
    """Sentences that every caption carries."""
    claims: Sequence[Claim] = ()
    """What papers say of the arms."""
    reproduction: Reproduction = field(default_factory=Reproduction)
    """Published tables to show next to the results."""
    by_view: bool = True
    """Whether the scores are those of views, and not their means."""

    def tables(self) -> list[Table]:
        """Build every table for which there is data; the first is the main one.

        Without the scores of views there is no table of the spread's sources.

        Raises:
            ReportError: As ``all_tables``.
        """
        tables = all_tables(
            self.frames,
            self.notes,
            baseline=self.baseline,
            own_baselines=self.own_baselines,
            claims=self.claims,
            reproduction=self.reproduction,
        )
        return [table for table in tables if self.by_view or table.name != "variance"]

    def files(self) -> dict[str, str]:
        """Return the content of each file by its name.

        ``cells.csv`` has a row for each cell: the columns of ``reports.frames.CELLS`` without paths and settings, and
        each score, averaged over the cell's views, in its printed unit.  ``controls.csv`` has the same for the
        controls, ``columns.csv`` title, unit and direction of each score, and ``tables.json`` the rest.
        """
        facts = self.frames.cells.drop(columns=list(_LEFT_OUT))[[name for name in CELLS if name not in _LEFT_OUT]]
        metrics = [str(metric) for metric in self.frames.metric_columns["metric"]]
        keys = ["method", "prompt_id", "seed"]
        assets = asset_means(self.frames)
        wide = assets.set_index([*keys, "metric"])["value"].unstack("metric")  # noqa: PD010  (one value each, no mean)
        wide = wide.reindex(columns=metrics).reset_index()
        columns = self.frames.metric_columns[list(METRIC_COLUMNS)]
        others = {
            "format": FORMAT,
            "title": self.title,
            "baseline": self.baseline,
            "own_baselines": dict(self.own_baselines),
            "notes": list(self.notes),
            "claims": [asdict(claim) for claim in self.claims],
            "reproduction": asdict(self.reproduction),
        }
        return {
            "cells.csv": _csv(facts.merge(wide, on=keys, how="left")),
            "controls.csv": _csv(self._controls(metrics)),
            "columns.csv": _csv(columns.assign(scale=1.0, card=columns["card"].map(_short_card))),
            "tables.json": json.dumps(others, ensure_ascii=False, indent=1) + "\n",
        }

    def _controls(self, metrics: Sequence[str]) -> pd.DataFrame:
        rows = self.frames.controls[list(_CONTROL_KEYS)].drop_duplicates()
        for metric in metrics:
            means = {name: control_means(self.frames, name, metric) for name in rows["control"].unique()}
            pairs = zip(rows["control"], rows["prompt_id"], strict=True)
            rows[metric] = np.array([means[name].get(prompt, np.nan) for name, prompt in pairs])
        return rows


def is_data(folder: Path) -> bool:
    """Whether a folder has the files of ``ReportData.files``."""
    return (folder / "tables.json").is_file()


def read_data(folder: Path) -> ReportData:
    """Read the files that ``ReportData.files`` has made; there are no views, steps or snapshots in them.

    Raises:
        ReportError: If a file is missing, cannot be read, or has another format.
    """
    try:
        return _parse(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise ReportError(f"{folder}: cannot be read as the data of a report: {why}") from None


def _parse(folder: Path) -> ReportData:
    others = json.loads((folder / "tables.json").read_text(encoding="utf-8"))
    if not isinstance(others, dict):
        raise ReportError(f"tables.json: is {type(others).__name__}, must be a table of keys")
    if (found := others.pop("format", None)) != FORMAT:
        raise ReportError(f"tables.json: format is {found!r}, must be {FORMAT}")
    columns = _with_numbers(_read(folder / "columns.csv"), ("target", "decimals", "scale"))
    columns["headline"] = columns["headline"] == "True"
    metrics = [str(metric) for metric in columns["metric"]]
    cells = _with_numbers(_read(folder / "cells.csv"), (*_NUMBERS, *metrics))
    controls = _with_numbers(_read(folder / "controls.csv"), metrics)
    frames = ReportFrames(
        cells=cells.drop(columns=metrics).assign(settings="{}", mesh_path=None, folder=""),
        scores=_long(cells, metrics, ["cell", "method", "prompt_id", "prompt", "seed"])[list(SCORES)],
        events=pd.DataFrame(columns=list(EVENTS)),
        views=pd.DataFrame(columns=list(VIEWS)),
        metric_columns=columns.astype({"card": object}).fillna({"card": ""}),
        controls=_long(controls, metrics, list(_CONTROL_KEYS)).assign(rgb_path="")[list(CONTROLS)],
    )
    claims = [Claim(**claim) for claim in others.pop("claims")]
    reproduction = Reproduction(**others.pop("reproduction"))
    return ReportData(frames, claims=claims, reproduction=reproduction, by_view=False, **others)


def _short_card(card: Any) -> str:
    """Keep of a metric's card what footnotes print."""
    if not isinstance(card, str) or not card:
        return ""
    return json.dumps({key: value for key, value in json.loads(card).items() if key in CARD_FACTS}, ensure_ascii=False)


def _csv(frame: pd.DataFrame) -> str:
    text = io.StringIO()
    frame.to_csv(text, index=False, lineterminator="\n")  # of a number all digits, so that it is read back as it was
    return text.getvalue()


def _read(path: Path) -> pd.DataFrame:
    # an empty field is missing; the rest is text, such as the status "nan" or the label "1", until a column is known
    # to have numbers
    return pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])


def _with_numbers(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Convert columns of text to numbers, each as Python reads it, which is to the last bit."""
    return frame.assign(**{name: _numbers(frame[name]) for name in names})


def _numbers(texts: pd.Series) -> pd.Series:
    whole = texts.str.fullmatch(r"-?\d+")
    return texts.astype("int64") if len(texts) and whole.eq(True).all() else texts.map(float).astype("float64")


def _long(wide: pd.DataFrame, metrics: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
    """One row per row of ``wide`` and score, as if each were the score of one view."""
    rows = wide.melt(id_vars=list(keys), value_vars=list(metrics), var_name="metric", value_name="value")
    return rows.assign(view=0, azimuth_deg=0.0, value=rows["value"].astype(float))

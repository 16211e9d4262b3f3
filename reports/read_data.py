"""Reading of the files that ``ReportData.files`` has made, also those that somebody else sends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Json, TypeAdapter, ValidationError

from reports.claim import Claim
from reports.frames import ALL_VIEWS, CONTROLS, EVENTS, SCORES, VIEWS, ReportError, ReportFrames
from reports.report_data import CONTROL_KEYS, FORMAT, ReportData
from reports.tables import Reproduction

#: Columns of cells that are numbers.
_NUMBERS: Final = (
    "seed", "steps", "seconds", "optimise_seconds", "peak_bytes", "reserved_bytes", "energy_joules", "attempts",
    "unet_calls", "unet_rows",
)  # fmt: skip


class _Others(BaseModel):
    """The content of ``tables.json``."""

    model_config = ConfigDict(extra="forbid")

    format: int
    title: str
    baseline: str
    own_baselines: dict[str, str]
    notes: list[str]
    claims: list[Claim]
    reproduction: Reproduction
    rows: dict[Literal["cells", "controls", "columns"], int]


class _Column(BaseModel):
    """The fields of a row of ``columns.csv`` that tables rely on."""

    metric: str
    title: str
    direction: Literal["higher", "lower", "target"] | None
    target: float | None
    decimals: int
    scale: float
    mean: Literal["arithmetic", "geometric"]
    group: str
    headline: Literal["True", "False"]
    card: Json[dict[str, object]] | None


def is_data(folder: Path) -> bool:
    """Whether a folder has the files of ``ReportData.files``, and is not a run folder."""
    return (folder / "tables.json").is_file() and not (folder / "study.json").exists()


def read_data(folder: Path) -> ReportData:
    """Read the files that ``ReportData.files`` has made; there are no views, steps or snapshots in them.

    Raises:
        ReportError: If a file is missing, cannot be read, or has another format.
    """
    try:
        return _parse(folder)
    except (OSError, ValueError, KeyError, OverflowError, RecursionError) as error:
        raise ReportError(f"{folder}: cannot be read as the data of a report: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'tables.json'}: {first['msg']}"
    return f"has no column {error}" if isinstance(error, KeyError) else " ".join(str(error).split())


def _parse(folder: Path) -> ReportData:
    text = (folder / "tables.json").read_text(encoding="utf-8")
    others = _Others.model_validate_json(text)
    if others.format != FORMAT:
        raise ReportError(f"tables.json: format = {others.format}, must be {FORMAT}")
    columns, cells, controls = (_read(folder, name, others) for name in ("columns", "cells", "controls"))
    rows = columns.astype(object).where(columns.notna(), None).to_dict("records")
    TypeAdapter(list[_Column]).validate_python(rows)
    columns = _with_numbers(columns, ("target", "decimals", "scale"))
    metrics = [str(metric) for metric in columns["metric"]]
    cells, controls = _with_numbers(cells, (*_NUMBERS, *metrics)), _with_numbers(controls, metrics)
    if lacking := [name for name in ("cell", "method", "prompt_id", "seed") if cells[name].isna().any()]:
        raise ReportError(f"cells.csv: a cell has no {lacking[0]}")
    frames = ReportFrames(
        cells=cells.drop(columns=metrics).assign(settings="{}", mesh_path=None, folder=""),
        scores=_long(cells, metrics, ["cell", "method", "prompt_id", "prompt", "seed"])[list(SCORES)],
        events=pd.DataFrame(columns=list(EVENTS)),
        views=pd.DataFrame(columns=list(VIEWS)),
        metric_columns=columns.assign(headline=columns["headline"] == "True").fillna({"card": ""}),
        controls=_long(controls, metrics, list(CONTROL_KEYS)).assign(rgb_path="")[list(CONTROLS)],
    )
    return ReportData(
        frames,
        title=others.title,
        baseline=others.baseline,
        own_baselines=others.own_baselines,
        notes=others.notes,
        claims=others.claims,
        reproduction=others.reproduction,
    )


def _read(folder: Path, name: Literal["cells", "controls", "columns"], others: _Others) -> pd.DataFrame:
    """Read a CSV file as text; one that was cut short is refused."""
    path = folder / f"{name}.csv"
    # an empty field is missing; the rest is text, such as the status "nan" or the label "1", until a column is known
    # to have numbers
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    expected = others.rows.get(name)
    if len(frame) != expected or not path.read_bytes().endswith(b"\n"):
        raise ReportError(f"{path.name}: has {len(frame)} whole rows or fewer, must have {expected}")
    return frame


def _with_numbers(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Convert columns of text to numbers, each as Python reads it, which is to the last bit."""
    return frame.assign(**{name: _numbers(frame[name]) for name in names})


def _numbers(texts: pd.Series) -> pd.Series:
    whole = texts.str.fullmatch(r"-?\d+")
    return texts.astype("int64") if len(texts) and whole.eq(True).all() else texts.map(float).astype("float64")


def _long(wide: pd.DataFrame, metrics: Sequence[str], keys: Sequence[str]) -> pd.DataFrame:
    """One row per row of ``wide`` and score, the mean over all views."""
    rows = wide.melt(id_vars=list(keys), value_vars=list(metrics), var_name="metric", value_name="value")
    return rows.assign(view=ALL_VIEWS, azimuth_deg=0.0, value=rows["value"].astype(float))

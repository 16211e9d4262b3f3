"""The page: tables, the same four views of every method side by side, turntables, curves and provenance."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from reports.figures.curves import thinned
from reports.figures.drawing import Drawing
from reports.figures.sparkline import sparkline
from reports.frames import DIVERGED, GROUND_TRUTH, ReportFrames
from reports.means import asset_means
from reports.pictures import Ring, rings, still, strip
from reports.render import html
from reports.render.printed import heading, number
from reports.table import Table
from reports.tables.columns import score_columns
from reports.templates import template

AZIMUTHS_DEG = {0: "front", 90: "90°", 180: "back", 270: "270°"}
_FACTS = (
    ("steps", "steps", 1.0, 0, ""),
    ("optimisation", "optimise_seconds", 1.0, 1, " s"),
    ("in all", "seconds", 1.0, 1, " s"),
    ("peak memory", "peak_bytes", 1e9, 2, " GB"),
    ("UNet calls", "unet_calls", 1.0, 0, ""),
    ("UNet rows", "unet_rows", 1.0, 0, ""),
)


@dataclass(frozen=True)
class Picture:
    """One picture of the page: its bytes and what a reader who cannot see it is told."""

    source: str  # data URI
    alt: str


@dataclass(frozen=True)
class Plate:
    """A figure that the study asked for, as SVG for light and for dark."""

    drawing: Drawing
    light: bytes
    dark: bytes


@dataclass(frozen=True)
class Exhibit:
    """What the page shows of one cell, or of one prompt's ground truth."""

    label: str
    status: str = ""  # empty for completed cells and the ground truth
    diverged: bool = False
    turntable: Picture | None = None
    turn_frames: int = 0
    stills: list[Picture] = field(default_factory=list)
    evidence: list[Picture] = field(default_factory=list)  # opacity of cells that did not complete
    scores: list[tuple[str, str]] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    curves: list[tuple[str, str, str]] = field(default_factory=list)  # name, first and last value, SVG path


def page(
    frames: ReportFrames,
    tables: Sequence[Table],
    curves: tuple[bytes, bytes],
    plates: Sequence[Plate] = (),
    *,
    title: str,
    notes: Sequence[str],
    provenance: Mapping[str, str],
) -> str:
    """The page as HTML in one piece.

    Args:
        frames: What the study measured.
        tables: Shown in this order; the first openly, the others folded.
        curves: The figure of the curves as SVG, for light and for dark.
        plates: The study's own figures.
        title: Heading.
        notes: Sentences set at the top.
        provenance: Further facts for the end.
    """
    light, dark = map(_svg_source, curves)
    status = frames.cells["status"]
    return template("index.html.j2").render(
        title=title,
        notes=notes,
        tables=[(table, html.render(table)) for table in tables],
        methods=frames.methods,
        counts={"cells": len(status), "completed": int((status == "completed").sum())},
        prompts=list(_prompts(frames)),
        angles=list(AZIMUTHS_DEG.values()),
        curves={"light": light, "dark": dark},
        plates=[(plate.drawing, _svg_source(plate.light), _svg_source(plate.dark)) for plate in plates],
        cards=_cards(frames),
        provenance={**_provenance(frames.cells), **provenance},
    )


def _svg_source(figure: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(figure).decode('ascii')}"


def _prompts(frames: ReportFrames) -> Iterator[tuple[str, str, list[Exhibit]]]:
    found, assets = rings(frames), asset_means(frames)
    for prompt_id, prompt in frames.prompts.items():
        exhibits = []
        if truth := found.get(GROUND_TRUTH + prompt_id):
            exhibits.append(Exhibit(GROUND_TRUTH, **_pictures(truth, f"{GROUND_TRUTH}, {prompt}")))
        for cell in frames.cells[frames.cells["prompt_id"] == prompt_id].to_dict("records"):
            exhibits.append(_exhibit(frames, {str(key): value for key, value in cell.items()}, found, assets))
        yield prompt_id, prompt, exhibits


def _exhibit(frames: ReportFrames, cell: dict[str, Any], found: Mapping[str, Ring], assets: pd.DataFrame) -> Exhibit:
    label = str(cell["method"])
    if len(set(frames.cells["seed"])) > 1:
        label += f" · seed {cell['seed']}"
    status = str(cell["status"])
    own = assets[
        (assets[["method", "prompt_id", "seed"]] == [cell[k] for k in ("method", "prompt_id", "seed")]).all(axis=1)
    ]
    values = own.set_index("metric")["value"]
    events = thinned(frames.events[frames.events["cell"] == cell["cell"]])
    views = found.get(cell["cell"])
    return Exhibit(
        label,
        status="" if status == "completed" else status,
        diverged=status in DIVERGED,
        scores=[
            (heading(column), number(values[column.key], column.decimals))
            for column in score_columns(frames)
            if column.key in values
        ],
        facts=_facts(cell),
        curves=list(_curves(events)),
        **(_pictures(views, f"{label}, {cell['prompt']}", evidence=status != "completed") if views else {}),
    )


def _pictures(views: Ring, words: str, *, evidence: bool = False) -> dict[str, Any]:
    shown = [views.nearest(azimuth) for azimuth in AZIMUTHS_DEG]
    turn = views.turn()
    opacity = [(index, views.opacity[index]) for index in shown] if evidence else []
    return {
        "turntable": Picture(strip(turn), f"{words}: turntable"),
        "turn_frames": len(turn),
        "stills": [Picture(still(views.rgb[i]), f"{words}: from {views.azimuth_deg[i]:.0f}°") for i in shown],
        "evidence": [
            Picture(still(path), f"{words}: opacity from {views.azimuth_deg[i]:.0f}°") for i, path in opacity if path
        ],
    }


def _facts(cell: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [
        (name, number(float(cell[column]) / scale, decimals) + unit)
        for name, column, scale, decimals, unit in _FACTS
        if not pd.isna(cell[column])  # a cell that crashed early has not measured everything
    ]
    failure = [] if pd.isna(cell["failure"]) else [("failure", str(cell["failure"]))]
    return [*failure, *facts, ("cell", str(cell["cell"])[:12])]


def _curves(events: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    for quantity in ("loss", "opacity"):
        if path := sparkline(events[quantity]):
            values = events[quantity].dropna()
            yield quantity, f"{values.iloc[0]:.3g} to {values.iloc[-1]:.3g}", path


def _provenance(cells: pd.DataFrame) -> dict[str, str]:
    code = [
        f"{commit}{' with uncommitted changes' if dirty else ''}"
        for commit, dirty in zip(cells["git_commit"], cells["git_dirty"], strict=True)
    ]
    return {
        "code": ", ".join(dict.fromkeys(code)),
        "device": ", ".join(dict.fromkeys(map(str, cells["device"]))),
        "seeds": ", ".join(map(str, sorted(set(cells["seed"])))),
    }


def _cards(frames: ReportFrames) -> list[tuple[str, dict[str, str]]]:
    """Metric cards, each once with the titles of the columns that it stands for."""
    titles: dict[str, list[str]] = {}
    for title, card in zip(frames.metric_columns["title"], frames.metric_columns["card"], strict=True):
        if isinstance(card, str) and card:
            titles.setdefault(card, []).append(str(title))
    return [
        (
            ", ".join(columns),
            {key: str(value) for key, value in json.loads(card).items() if value not in (None, "", [], {})},
        )
        for card, columns in titles.items()
    ]

"""The rows of the pages: one per cell, and one per prompt's ground truth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pandas as pd

from reports.costs import COSTS, MORE_COSTS, TOTAL, UNET_CALLS, UNET_ROWS, Cost
from reports.figures.curves import thin_events
from reports.frames import DIVERGED, GROUND_TRUTH, ReportFrames
from reports.pages.file_names import file_names
from reports.pages.images import CellImages, ViewImage
from reports.pages.sparkline import sparkline
from reports.render.printed import number

#: Facts of a single cell, which are counted one by one and timed in seconds.
_FACTS: Final = (
    Cost("steps", "steps", "steps", "", 1.0, 0),
    *(
        replace(cost, unit="", size=1.0, decimals=0) if cost in (UNET_CALLS, UNET_ROWS) else cost
        for cost in (*COSTS, *MORE_COSTS)
        if cost is not TOTAL
    ),
    replace(TOTAL, unit="s", size=1.0, decimals=1),
    Cost("attempts", "attempts", "attempts", "", 1.0, 0),
)


@dataclass(frozen=True)
class Curve:
    """One logged quantity over the steps."""

    name: str
    ends: str  # first and last value
    path: str  # the ``d`` of an SVG path


@dataclass(frozen=True)
class CellRow:
    """One row of a prompt's page.

    Args:
        name: Name of the row in links, unique on its page.
        method: Label of the arm, or ``GROUND_TRUTH``.
        label: Label of the arm, with the seed if there are several.
        alt: Text for readers who cannot see its images.
        cell: Identity; empty for the ground truth.
        status: One of ``STATUSES``.
        failure: Reason of the failure, empty for a completed cell.
        images: Images of the cell; None without a render.
        facts: Labels and texts of what is known of the cell.
        curves: Logged quantities over the steps.
        settings: Everything that decides the cell's numbers, as indented JSON.
    """

    name: str
    method: str
    label: str
    alt: str
    cell: str = ""
    status: str = "completed"
    failure: str = ""
    images: CellImages | None = None
    facts: tuple[tuple[str, str], ...] = ()
    curves: tuple[Curve, ...] = ()
    settings: str = ""

    @property
    def front_and_back(self) -> list[ViewImage]:
        """The views in colour from 0° and 180°; the first one if it has neither, nothing without a render."""
        views = self.images.views["rgb"] if self.images else {}
        return [views[azimuth] for azimuth in (0, 180) if azimuth in views] or list(views.values())[:1]

    @property
    def completed(self) -> bool:
        """Whether the cell completed."""
        return self.status == "completed"

    @property
    def diverged(self) -> bool:
        """Whether the optimisation diverged."""
        return self.status in DIVERGED


@dataclass(frozen=True)
class PromptRows:
    """One prompt and the rows of its page."""

    prompt_id: str
    text: str
    page: str  # path relative to the report's folder
    rows: list[CellRow] = field(default_factory=list)  # the ground truth first, if there is one

    def of(self, method: str) -> list[CellRow]:
        """The rows of an arm, or of ``GROUND_TRUTH``: one per seed."""
        return [row for row in self.rows if row.method == method]


def prompt_rows(frames: ReportFrames, images: Mapping[str, CellImages]) -> list[PromptRows]:
    """Build the rows of all prompts, in the study's order.

    Args:
        frames: The study's results.
        images: Result of ``write_images``.
    """
    names = file_names(frames.prompts)
    found = {
        prompt_id: PromptRows(prompt_id, text, f"prompts/{names[prompt_id]}.html")
        for prompt_id, text in frames.prompts.items()
    }
    for prompt_id, prompt in found.items():
        if truth := images.get(GROUND_TRUTH + prompt_id):
            prompt.rows.append(
                CellRow("truth", GROUND_TRUTH, GROUND_TRUTH, f"{GROUND_TRUTH}, {prompt.text}", images=truth)
            )
    curves = dict(_curves(frames))
    labels = _labels(frames)
    rows = file_names(f"{row.method}-{row.seed}" for row in frames.cells.itertuples())
    for cell in ({str(key): value for key, value in row.items()} for row in frames.cells.to_dict("records")):
        identity = str(cell["cell"])
        found[cell["prompt_id"]].rows.append(
            CellRow(
                name=rows[f"{cell['method']}-{cell['seed']}"],
                method=str(cell["method"]),
                label=labels[identity],
                alt=f"{labels[identity]}, {cell['prompt']}",
                cell=identity,
                status=str(cell["status"]),
                failure="" if pd.isna(cell["failure"]) else str(cell["failure"]),
                images=images.get(identity),
                facts=tuple(_facts(cell)),
                curves=curves.get(identity, ()),
                settings=_indent(cell["settings"]),
            )
        )
    return list(found.values())


def code_of(cell: Mapping[Any, Any]) -> str:
    """Name the commit that ran a cell, and say whether the working tree differed from it."""
    commit = "no commit" if pd.isna(cell["git_commit"]) else str(cell["git_commit"])
    dirty = not pd.isna(cell["git_dirty"]) and bool(cell["git_dirty"])
    return commit + " with uncommitted changes" * dirty


def _labels(frames: ReportFrames) -> dict[str, str]:
    several = len(set(frames.cells["seed"])) > 1
    return {
        str(row.cell): f"{row.method} · {'render' if row.provenance == 'imported' else 'seed'} {row.seed}"
        if several
        else str(row.method)
        for row in frames.cells.itertuples()
    }


def _facts(cell: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for cost in _FACTS:
        if not pd.isna(cell[cost.source]):  # a cell that crashed early has not measured everything
            yield cost.title, f"{number(float(cell[cost.source]) / cost.size, cost.decimals)} {cost.unit}".rstrip()
    if cell["provenance"] == "imported":
        yield "origin", "made elsewhere and imported: nothing but the images is known"
        yield "cell", str(cell["cell"])
        return
    yield "seed", str(cell["seed"])
    yield "device", str(cell["device"])
    yield "code", code_of(cell)
    yield "prior's weights", f"SHA-256 {cell['prior_sha256']}"
    yield "cell", str(cell["cell"])


def _curves(frames: ReportFrames) -> Iterator[tuple[str, tuple[Curve, ...]]]:
    for cell, events in thin_events(frames.events).groupby("cell", sort=False):
        curves = []
        for quantity in ("loss", "opacity"):
            if path := sparkline(events[quantity]):
                values = events[quantity].dropna()
                curves.append(Curve(quantity, f"{values.iloc[0]:.3g} to {values.iloc[-1]:.3g}", path))
        yield str(cell), tuple(curves)


def _indent(settings: object) -> str:
    try:
        return json.dumps(json.loads(str(settings)), indent=2, ensure_ascii=False)
    except ValueError:
        return str(settings)

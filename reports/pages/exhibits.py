"""What the pages show of each cell, and of each prompt's ground truth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from reports.figures.curves import thinned
from reports.figures.sparkline import sparkline
from reports.frames import DIVERGED, GROUND_TRUTH, ReportFrames
from reports.pages.album import Shot, Shots
from reports.pages.file_names import file_names
from reports.render.printed import number

_FACTS: Final = (
    ("steps", "steps", 1.0, 0, ""),
    ("optimisation", "optimise_seconds", 1.0, 1, " s"),
    ("in all", "seconds", 1.0, 1, " s"),
    ("peak memory", "peak_bytes", 1e9, 2, " GB"),
    ("UNet calls", "unet_calls", 1.0, 0, ""),
    ("UNet rows", "unet_rows", 1.0, 0, ""),
    ("energy", "energy_joules", 1.0, 0, " J"),
    ("attempts", "attempts", 1.0, 0, ""),
)


@dataclass(frozen=True)
class Curve:
    """One logged quantity over the steps."""

    name: str
    ends: str  # first and last value
    path: str  # the ``d`` of an SVG path


@dataclass(frozen=True)
class Exhibit:
    """One row of a prompt's page.

    Args:
        name: Of the row in links, unique on its page.
        label: Of the arm, with the seed where there are several.
        words: What a picture of it shows, for readers who cannot see it.
        cell: Identity; empty for the ground truth.
    """

    name: str
    label: str
    words: str
    cell: str = ""
    status: str = "completed"
    failure: str = ""
    shots: Shots | None = None
    facts: tuple[tuple[str, str], ...] = ()
    curves: tuple[Curve, ...] = ()
    settings: str = ""  # everything that decides the cell's numbers, as JSON to be read

    @property
    def front(self) -> Shot | None:
        """Its first view in colour, where there is one."""
        return next(iter(self.shots.stills["rgb"].values()), None) if self.shots else None

    @property
    def completed(self) -> bool:
        """Whether there is nothing to excuse."""
        return self.status == "completed"

    @property
    def diverged(self) -> bool:
        """Whether the optimisation is what failed."""
        return self.status in DIVERGED


@dataclass(frozen=True)
class PromptExhibits:
    """One prompt and all that was made of it."""

    prompt_id: str
    text: str
    page: str  # path relative to the report's folder
    exhibits: list[Exhibit] = field(default_factory=list)  # the ground truth first, where there is one


def prompt_exhibits(frames: ReportFrames, album: Mapping[str, Shots]) -> list[PromptExhibits]:
    """The prompts in the study's order."""
    names = file_names(frames.prompts)
    found = {
        prompt_id: PromptExhibits(prompt_id, text, f"prompts/{names[prompt_id]}.html")
        for prompt_id, text in frames.prompts.items()
    }
    for prompt_id, prompt in found.items():
        if truth := album.get(GROUND_TRUTH + prompt_id):
            words = f"{GROUND_TRUTH}, {prompt.text}"
            prompt.exhibits.append(Exhibit("truth", GROUND_TRUTH, words, shots=truth))
    curves = dict(_curves(frames))
    labels = _labels(frames)
    rows = file_names(f"{row.method}-{row.seed}" for row in frames.cells.itertuples())
    for cell in ({str(key): value for key, value in row.items()} for row in frames.cells.to_dict("records")):
        identity = str(cell["cell"])
        found[cell["prompt_id"]].exhibits.append(
            Exhibit(
                name=rows[f"{cell['method']}-{cell['seed']}"],
                label=labels[identity],
                words=f"{labels[identity]}, {cell['prompt']}",
                cell=identity,
                status=str(cell["status"]),
                failure="" if pd.isna(cell["failure"]) else str(cell["failure"]),
                shots=album.get(identity),
                facts=tuple(_facts(cell)),
                curves=curves.get(identity, ()),
                settings=_readable(cell["settings"]),
            )
        )
    return list(found.values())


def _labels(frames: ReportFrames) -> dict[str, str]:
    several = len(set(frames.cells["seed"])) > 1
    return {
        str(row.cell): f"{row.method} · seed {row.seed}" if several else str(row.method)
        for row in frames.cells.itertuples()
    }


def _facts(cell: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, column, scale, decimals, unit in _FACTS:
        if not pd.isna(cell[column]):  # a cell that crashed early has not measured everything
            yield name, number(float(cell[column]) / scale, decimals) + unit
    yield "seed", str(cell["seed"])
    yield "device", str(cell["device"])
    yield "code", code(cell)
    yield "prior's weights", f"SHA-256 {cell['prior_sha256']}"
    yield "cell", str(cell["cell"])


def code(cell: Mapping[str, Any]) -> str:
    """The commit that ran a cell, and whether the tree differed from it."""
    commit = "no commit" if pd.isna(cell["git_commit"]) else str(cell["git_commit"])
    dirty = not pd.isna(cell["git_dirty"]) and bool(cell["git_dirty"])
    return commit + " with uncommitted changes" * dirty


def _curves(frames: ReportFrames) -> Iterator[tuple[str, tuple[Curve, ...]]]:
    for cell, events in thinned(frames.events).groupby("cell", sort=False):
        curves = []
        for quantity in ("loss", "opacity"):
            if path := sparkline(events[quantity]):
                values = events[quantity].dropna()
                curves.append(Curve(quantity, f"{values.iloc[0]:.3g} to {values.iloc[-1]:.3g}", path))
        yield str(cell), tuple(curves)


def _readable(settings: object) -> str:
    try:
        return json.dumps(json.loads(str(settings)), indent=2, ensure_ascii=False)
    except ValueError:
        return str(settings)

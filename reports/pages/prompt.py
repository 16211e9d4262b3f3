"""The page of one prompt: the same cameras side by side for all methods, scores, curves, meshes, provenance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from reports.frames import ReportFrames
from reports.pages.album import AZIMUTHS_DEG
from reports.pages.exhibits import PromptExhibits
from reports.pages.ledger import Ledger
from reports.pages.meshes import MeshView
from reports.pictures import MODES
from reports.render import html
from reports.table import Column, Entry, Row, Table
from reports.tables.columns import PICTURE_SCORES, TRUTH_SCORES, score_columns
from reports.templates import page

SCRIPTS = ("tables.js", "player.js", "meshes.js")

#: Modes and what they are called.
_MODES: Final = {mode: "colour" if mode == "rgb" else mode for mode in MODES}


def prompt_page(
    frames: ReportFrames,
    prompts: Sequence[PromptExhibits],
    place: int,
    means: pd.DataFrame,
    mesh: MeshView | None,
    *,
    title: str,
) -> str:
    """The page as HTML.

    Args:
        frames: What the study measured.
        prompts: All prompts, in their order.
        place: Which of them the page is of.
        means: Mean over the views of each completed cell, with columns ``cell, metric, value``.
        mesh: The viewer of the prompt's meshes, where there are any.
        title: Heading of the study.
    """
    prompt = prompts[place]
    ledger = Ledger(frames, [prompt], root="../")
    shots = [exhibit.shots for exhibit in prompt.exhibits if exhibit.shots]
    return page(
        "prompt.html.j2",
        scripts=SCRIPTS,
        ledger=ledger.content,
        title=title,
        prompt=prompt,
        before=prompts[place - 1] if place else None,
        after=prompts[place + 1] if place + 1 < len(prompts) else None,
        modes={mode: words for mode, words in _MODES.items() if any(mode in own.stills for own in shots)},
        azimuths={
            azimuth: words
            for azimuth, words in AZIMUTHS_DEG.items()
            if any(azimuth in own.stills["rgb"] for own in shots)
        },
        turning=any(own.turns for own in shots),
        scores=html.live(_scores(frames, prompt, means), ledger.places),
        mesh=mesh,
    )


def _scores(frames: ReportFrames, prompt: PromptExhibits, means: pd.DataFrame) -> Table:
    """A row for each cell of the prompt: its scores, time and memory."""
    cells = frames.cells[frames.cells["prompt_id"] == prompt.prompt_id].set_index("cell")
    own = means[means["cell"].isin(cells.index)]
    known = [*PICTURE_SCORES, *TRUTH_SCORES]
    names = [*known, *(name for name in frames.metric_columns["metric"] if name not in known)]
    columns = [column for column in score_columns(frames, names) if column.key in set(own["metric"])]
    costs = (
        (Column("time", "time", "s", "down", decimals=1), "optimise_seconds", 1.0),
        (Column("memory", "memory", "GB", "down"), "peak_bytes", 1e9),
    )
    values = {(str(row.cell), str(row.metric)): float(row.value) for row in own.itertuples()}
    rows = []
    for exhibit in prompt.exhibits:
        if not exhibit.cell:
            continue
        note = "" if exhibit.completed else exhibit.status
        entries = [
            Entry(mean=values.get((exhibit.cell, column.key)), note=note, cells=(exhibit.cell,)) for column in columns
        ]
        for _, name, scale in costs:
            cost = cells.loc[exhibit.cell, name]
            entries.append(Entry(mean=None if pd.isna(cost) else float(cost) / scale, cells=(exhibit.cell,)))
        rows.append(Row(exhibit.label, tuple(entries)))
    return Table(
        name="prompt",
        title="Scores of this prompt",
        caption=("Means over the views of one cell: one prompt says little about a method.",),
        stub="Method",
        columns=(*columns, *(column for column, *_ in costs)),
        rows=tuple(rows),
    )

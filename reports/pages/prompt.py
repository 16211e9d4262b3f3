"""The page of one prompt: the same cameras side by side for all methods, scores, curves, meshes, provenance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from reports.frames import ReportFrames
from reports.images import MODES
from reports.pages.cell_rows import PromptRows
from reports.pages.images import AZIMUTHS_DEG
from reports.pages.meshes import MeshView
from reports.pages.prompt_table import prompt_table
from reports.pages.provenance import CellList
from reports.render import html
from reports.templates import page

SCRIPTS = ("tables.js", "player.js", "meshes.js")

#: Modes and their names.
_MODES: Final = {mode: "colour" if mode == "rgb" else mode for mode in MODES}


def prompt_page(
    frames: ReportFrames,
    prompts: Sequence[PromptRows],
    place: int,
    means: pd.DataFrame,
    mesh: MeshView | None,
    *,
    title: str,
) -> str:
    """Return the page as HTML.

    Args:
        frames: The study's results.
        prompts: All prompts, in their order.
        place: Index of the prompt of the page.
        means: Means over the views of the prompt's completed cells, with columns ``cell, metric, value``.
        mesh: Viewer of the prompt's meshes; None without one.
        title: Heading of the study.
    """
    prompt = prompts[place]
    cells = CellList(frames, [prompt], root="../")
    images = [row.images for row in prompt.rows if row.images]
    return page(
        "prompt.html.j2",
        scripts=SCRIPTS,
        cell_list=cells.content,
        title=title,
        prompt=prompt,
        before=prompts[place - 1] if place else None,
        after=prompts[place + 1] if place + 1 < len(prompts) else None,
        modes={mode: name for mode, name in _MODES.items() if any(mode in own.views for own in images)},
        azimuths={
            azimuth: name
            for azimuth, name in AZIMUTHS_DEG.items()
            if any(azimuth in own.views["rgb"] for own in images)
        },
        turning=any(own.turntables for own in images),
        scores=html.live(prompt_table(frames, prompt, means), cells.places),
        mesh=mesh,
    )

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
from reports.pages.prompt_table import prompt_table
from reports.pictures import MODES
from reports.render import html
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
        scores=html.live(prompt_table(frames, prompt, means), ledger.places),
        mesh=mesh,
    )

"""The gaps of a study: cells that were not run, and prompts of which an imported arm has no renders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Self

from reports.frames import ReportFrames, listed


@dataclass(frozen=True)
class Gaps:
    """The gaps of a study, as far as its cells show them.

    Methods, prompts and seeds are those of the cells that there are: one of which no cell was run leaves no gap, so
    that a study without gaps need not be whole.

    A measured arm has a cell for each prompt and seed.  An imported arm has one for each render that somebody made, so
    that a prompt without a render is no cell that was not run.
    """

    not_run: tuple[tuple[str, str, int], ...]  # method, prompt id and seed of each cell, in the study's order
    without_renders: Mapping[str, int]  # number of prompts by imported arm, of those that lack some
    prompts: int  # number of prompts of the study

    @classmethod
    def of(cls, frames: ReportFrames) -> Self:
        """Find the gaps of the frames."""
        cells, prompts = frames.cells, list(frames.prompts)
        imported = cells["provenance"] == "imported"
        theirs = set(cells.loc[imported, "method"])
        ours = [method for method in frames.methods if method not in theirs]
        seeds = sorted(set(cells.loc[~imported, "seed"]))
        known = set(zip(cells["method"], cells["prompt_id"], cells["seed"], strict=True))
        rendered = {
            method: cells.loc[cells["method"] == method, "prompt_id"].nunique()
            for method in frames.methods
            if method in theirs
        }
        return cls(
            tuple(key for key in product(ours, prompts, seeds) if key not in known),
            {method: len(prompts) - count for method, count in rendered.items() if count < len(prompts)},
            len(prompts),
        )

    @property
    def of_imported(self) -> str:
        """Say without a full stop how many prompts the imported arms have renders of; empty if of all."""
        counts = [(method, self.prompts - lacking) for method, lacking in self.without_renders.items()]
        words = [
            f"{method} {f'of {count}' if place else f'has renders of {count} of {self.prompts} prompts'}"
            for place, (method, count) in enumerate(counts)
        ]
        return listed(words, "and") if words else ""

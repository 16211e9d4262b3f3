"""Where every number comes from: the cells, listed once on a page, and figures that point to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from reports.frames import ReportFrames
from reports.pages.exhibits import PromptExhibits, code
from reports.render.printed import number

_FIELDS: Final = ("prompt", "method", "seed", "status", "optimisation", "code", "prior", "device", "cell")


class Ledger:
    """The cells of a page in one order, those of a method together, so that a figure needs but a few numbers.

    Args:
        frames: The study's results.
        prompts: Their rows on the pages.
        root: How the report's folder is reached from the page: "" or "../".
    """

    def __init__(self, frames: ReportFrames, prompts: Sequence[PromptExhibits], root: str) -> None:
        shown = [prompt.prompt_id for prompt in prompts]
        links = {
            exhibit.cell: f"{root}{prompt.page}#{exhibit.name}" for prompt in prompts for exhibit in prompt.exhibits
        }
        rank = {method: index for index, method in enumerate(frames.methods)}
        cells = [cell for cell in frames.cells.to_dict("records") if cell["prompt_id"] in shown]
        cells.sort(key=lambda cell: rank[cell["method"]])
        self._index = {str(cell["cell"]): index for index, cell in enumerate(cells)}
        self.content: dict[str, Any] = {
            "fields": _FIELDS,
            "rows": [[*_row(cell), links[str(cell["cell"])]] for cell in cells],
        }

    def places(self, cells: Iterable[str]) -> str:
        """The cells as runs of their places, such as ``0-42 86``; cells of other pages are left out."""
        runs: list[list[int]] = []
        for place in sorted({self._index[cell] for cell in cells if cell in self._index}):
            if runs and place == runs[-1][-1] + 1:
                runs[-1][1:] = [place]
            else:
                runs.append([place])
        return " ".join("-".join(map(str, run)) for run in runs)


def _row(cell: Mapping[Any, Any]) -> list[str]:
    seconds = cell["optimise_seconds"]
    return [
        str(cell["prompt"]),
        str(cell["method"]),
        str(cell["seed"]),
        str(cell["status"]),
        "" if pd.isna(seconds) else number(float(seconds), 1) + " s",
        code(cell),
        str(cell["prior_sha256"])[:12],
        str(cell["device"]),
        str(cell["cell"])[:12],
    ]

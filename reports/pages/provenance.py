"""Provenance of every number: the cells, listed once per page, and numbers that point to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from reports.costs import TIME
from reports.frames import ReportFrames
from reports.pages.cell_rows import PromptRows, code_of
from reports.render.printed import number

_FIELDS: Final = ("prompt", "method", "seed", "status", TIME.title, "code", "prior", "device", "cell")


class CellList:
    """The cells of a page in one order, those of a method together, so that a number needs few indices.

    Args:
        frames: The study's results.
        prompts: The rows of the page.
        root: Path from the page to the report's folder: "" or "../".
    """

    def __init__(self, frames: ReportFrames, prompts: Sequence[PromptRows], root: str) -> None:
        shown = [prompt.prompt_id for prompt in prompts]
        links = {row.cell: f"{root}{prompt.page}#{row.name}" for prompt in prompts for row in prompt.rows}
        rank = {method: index for index, method in enumerate(frames.methods)}
        cells = [cell for cell in frames.cells.to_dict("records") if cell["prompt_id"] in shown]
        cells.sort(key=lambda cell: rank[cell["method"]])
        self._index = {str(cell["cell"]): index for index, cell in enumerate(cells)}
        self.content: dict[str, Any] = {
            "fields": _FIELDS,
            "rows": [[*_row(cell), links[str(cell["cell"])]] for cell in cells],
        }

    def places(self, cells: Iterable[str]) -> str:
        """Write the indices of cells as ranges, such as ``0-42 86``; cells of other pages are left out."""
        runs: list[list[int]] = []
        for place in sorted({self._index[cell] for cell in cells if cell in self._index}):
            if runs and place == runs[-1][-1] + 1:
                runs[-1][1:] = [place]
            else:
                runs.append([place])
        return " ".join("-".join(map(str, run)) for run in runs)


def _row(cell: Mapping[Any, Any]) -> list[str]:
    seconds, imported = cell[TIME.source], cell["provenance"] == "imported"
    return [
        str(cell["prompt"]),
        str(cell["method"]),
        str(cell["seed"]),
        str(cell["status"]),
        "" if pd.isna(seconds) else f"{number(float(seconds), TIME.decimals)} {TIME.unit}",
        "" if imported else code_of(cell),
        "" if imported else str(cell["prior_sha256"])[:12],
        "" if imported else str(cell["device"]),
        str(cell["cell"])[:12],
    ]

"""Colour, marker and dashes of a method, the same in every figure of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from reports.figures.drawing.style import Theme

_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "p")
_DASHES: Final[tuple[Any, ...]] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))


@dataclass(frozen=True)
class Look:
    """Style that is distinct by colour, and without it by marker or dashes."""

    colour: str
    marker: str
    dashes: Any  # a linestyle of matplotlib


def looks(methods: Sequence[str], theme: Theme) -> dict[str, Look]:
    """Assign a look to each method, by its place in the study; the first 64 are all different."""
    found = {}
    for index, method in enumerate(methods):
        turn, place = divmod(index, len(theme.series))
        found[method] = Look(
            theme.series[place], _MARKERS[(place + turn) % len(_MARKERS)], _DASHES[(place + turn) % len(_DASHES)]
        )
    return found

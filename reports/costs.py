"""Costs of a cell, each declared once: time, memory, energy and evaluations of the prior's network.

Tables, figures and pages take title, unit and decimals from here.  ``study_costs`` gives the costs of one study: in
minutes if its optimisations are long, with the kind of its memory, and without what no cell knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from reports.frames import ReportFrames
from reports.table import TableColumn

#: Seconds from which a study's times are printed in minutes.
_LONG: Final = 1200.0


@dataclass(frozen=True)
class Cost:
    """A number that every cell has."""

    source: str
    """Column of ``ReportFrames.cells``."""
    key: str
    """Key of the column in tables."""
    title: str
    """Heading."""
    unit: str
    """Printed unit."""
    size: float
    """One printed unit, in the unit of the source."""
    decimals: int
    """Printed digits after the point."""
    smaller: tuple[tuple[str, float], ...] = ()
    """Smaller units, with their sizes, for studies whose numbers would be printed as 0."""
    definition: str = ""
    """A sentence for the captions of tables that have it."""

    @property
    def column(self) -> TableColumn:
        """The column of a table; lower is better."""
        return TableColumn(self.key, self.title, self.unit, "down", decimals=self.decimals)

    def suited(self, values: pd.Series) -> Cost:
        """Return the same cost in the largest unit in which no positive one of ``values`` is printed as 0."""
        known = values.dropna().astype(float)
        least = known[known > 0].min()
        units = [(self.unit, self.size), *self.smaller]
        fits = [(unit, size) for unit, size in units if not least / size < 0.5 * 10**-self.decimals]
        unit, size = (fits or units[-1:])[0]
        return replace(self, unit=unit, size=size, decimals=self.decimals if unit else 0)

    def in_minutes(self) -> Cost:
        """Return the same cost in minutes; its source must be in seconds."""
        return replace(self, unit="min", size=60.0)


TIME: Final = Cost("optimise_seconds", "time", "time", "s", 1.0, 1, definition="Time is of the optimisation alone.")
MEMORY: Final = Cost(
    "peak_bytes", "memory", "memory", "GB", 1e9, 2, (("MB", 1e6),),
    "Memory is a cell's peak (rss: of the process; cuda: allocated by torch after preparation).",
)  # fmt: skip
ENERGY: Final = Cost(
    "energy_joules", "energy", "energy", "kJ", 1e3, 1, (("J", 1.0),),
    "Energy is what the device drew during the whole cell (NVML's counter).",
)  # fmt: skip
UNET_ROWS: Final = Cost(
    "unet_rows", "unet_rows", "UNet rows", "10³", 1e3, 1, (("", 1.0),), "UNet rows are network calls × batch."
)

#: The costs that tables, figures and prompt pages show, in their order.
COSTS: Final = (TIME, MEMORY, ENERGY, UNET_ROWS)

RESERVED: Final = Cost("reserved_bytes", "reserved", "memory reserved", "GB", 1e9, 2, (("MB", 1e6),))
UNET_CALLS: Final = Cost("unet_calls", "unet_calls", "UNet calls", "10³", 1e3, 1, (("", 1.0),))
TOTAL: Final = Cost("seconds", "total", "in all", "h", 3600.0, 2, (("min", 60.0), ("s", 1.0)))

#: Further costs, which only the table of costs and the facts of a cell show.
MORE_COSTS: Final = (RESERVED, UNET_CALLS, TOTAL)


def study_costs(frames: ReportFrames) -> list[Cost]:
    """Return the ``COSTS`` that any cell of a study has."""
    cells = frames.cells
    completed = cells.loc[cells["status"] == "completed", TIME.source].astype(float)
    kinds = memory_kinds(cells)
    suited = {
        TIME: TIME.in_minutes() if (completed >= _LONG).any() else TIME,
        MEMORY: replace(MEMORY, title=f"{MEMORY.title} ({kinds})") if kinds and "+" not in kinds else MEMORY,
    }
    known = [cost for cost in COSTS if cost is not ENERGY or cells[cost.source].notna().any()]
    return [suited.get(cost, cost).suited(cells[cost.source]) for cost in known]


def memory_kinds(cells: pd.DataFrame) -> str:
    """Name what the peak memory of cells counts: ``rss``, ``cuda``, or both if machines differ."""
    return " + ".join(sorted(set(cells["peak_kind"].dropna())))

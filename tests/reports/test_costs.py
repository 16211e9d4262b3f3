"""Costs are declared once, and a study's unit of time holds in every table, figure and page."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from reports.costs import COSTS, ENERGY, MEMORY, MORE_COSTS, TIME, TOTAL, UNET_CALLS, UNET_ROWS, study_costs
from reports.figures.drawing.style import LIGHT
from reports.figures.pareto import pareto
from reports.figures.time_to_quality import time_to_quality
from reports.frames import CELLS
from reports.pages.cell_rows import prompt_rows
from reports.pages.prompt_table import prompt_table
from reports.tables import Measured
from reports.tables.cost import cost_table
from reports.tables.summary import summary_table


def test_every_cost_is_a_column_of_the_cells_with_a_key_of_its_own() -> None:
    costs = (*COSTS, *MORE_COSTS)
    assert {cost.source for cost in costs} <= set(CELLS)
    assert len({cost.key for cost in costs}) == len({cost.source for cost in costs}) == len(costs)


@pytest.mark.parametrize(("seconds", "unit", "size"), [(90.0, "s", 1.0), (7140.0, "min", 60.0)])
def test_long_studies_are_in_minutes_everywhere(make_frames, seconds: float, unit: str, size: float) -> None:
    frames = make_frames(prompts={"mug": "a mug"}, views=1, snapshots=True)
    frames = dataclasses.replace(frames, cells=frames.cells.assign(optimise_seconds=seconds))
    for table in (
        summary_table(Measured(frames, "sds"), []),
        prompt_table(frames, prompt_rows(frames, {})[0], frames.scores.iloc[:0]),
    ):
        [place] = [index for index, column in enumerate(table.columns) if column.key == TIME.key]
        assert table.columns[place].unit == unit
        assert table.rows[0].entries[place].mean == seconds / size
    axis = pareto(frames, metrics=["clip_score"])(LIGHT).axes[0]
    assert axis.get_xlabel() == f"time ({unit})"
    assert {line.get_xdata()[0] for line in axis.lines if line.get_label() in ("_sds", "_sdi")} == {seconds / size}
    course = time_to_quality(frames, metrics=["clip_score"])(LIGHT).axes[0]
    assert course.get_xlabel() == f"time ({unit})"
    assert [line.get_xdata()[0] for line in course.lines if line.get_label() == "_end"] == [seconds / size] * 2


def test_only_known_costs_are_shown_and_memory_names_its_kind(make_frames) -> None:
    frames = make_frames(views=1)
    assert [cost.source for cost in study_costs(frames)] == [cost.source for cost in COSTS if cost is not ENERGY]
    assert [cost.title for cost in study_costs(frames) if cost.source == MEMORY.source] == ["memory (rss)"]
    known = dataclasses.replace(frames, cells=frames.cells.assign(energy_joules=1.0))
    assert [cost.source for cost in study_costs(known)] == [cost.source for cost in COSTS]


@pytest.mark.parametrize(
    ("cost", "values", "unit", "size", "decimals"),
    [
        (UNET_ROWS, [40.0, 4e5], "", 1.0, 0),
        (UNET_ROWS, [50.0, None], "10³", 1e3, 1),
        (UNET_CALLS, [20.0], "", 1.0, 0),
        (ENERGY, [49.0], "J", 1.0, 1),
        (ENERGY, [0.0, 90e3], "kJ", 1e3, 1),
        (MEMORY, [4e6], "MB", 1e6, 2),
        (TOTAL, [5.0], "min", 60.0, 2),
        (TOTAL, [0.2], "s", 1.0, 2),
        (TOTAL, [], "h", 3600.0, 2),
    ],
)
def test_no_cost_is_printed_as_zero(cost, values, unit: str, size: float, decimals: int) -> None:
    suited = cost.suited(pd.Series(values, dtype=float))
    assert (suited.unit, suited.size, suited.decimals) == (unit, size, decimals)


def test_a_short_study_counts_unet_rows_one_by_one_everywhere(make_frames) -> None:
    frames = make_frames(prompts={"mug": "a mug"}, views=1)
    frames = dataclasses.replace(frames, cells=frames.cells.assign(unet_rows=40, unet_calls=20))
    table = summary_table(Measured(frames, "sds"), [])
    [place] = [index for index, column in enumerate(table.columns) if column.key == UNET_ROWS.key]
    assert (table.columns[place].unit, table.rows[0].entries[place].mean) == ("", 40.0)
    costs = cost_table(Measured(frames, "sds"), [])
    [place] = [index for index, column in enumerate(costs.columns) if column.key == UNET_CALLS.key]
    assert (costs.columns[place].unit, costs.rows[0].entries[place].mean) == ("", 20.0)

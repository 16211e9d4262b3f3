"""Costs are declared once, and a study's unit of time holds in every table, figure and page."""

from __future__ import annotations

import dataclasses

import pytest

from reports.costs import COSTS, ENERGY, MEMORY, MORE_COSTS, TIME, study_costs
from reports.figures.drawing.style import LIGHT
from reports.figures.pareto import pareto
from reports.figures.time_to_quality import time_to_quality
from reports.frames import CELLS
from reports.pages.cell_rows import prompt_rows
from reports.pages.prompt_table import prompt_table
from reports.tables import Measured
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

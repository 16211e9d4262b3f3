"""The page of the study: images of all cells, tables, figures, prompts, coverage, provenance and cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from reports.frames import DIVERGED, FAILED, GROUND_TRUTH, ReportFrames, listed
from reports.gaps import Gaps
from reports.pages.arms import Arms
from reports.pages.best_methods import best_methods
from reports.pages.cell_rows import PromptRows, code_of
from reports.pages.coverage import coverage
from reports.pages.extra_faces import ExtraFaces
from reports.pages.figure_files import FigureFiles
from reports.pages.provenance import CellList
from reports.render import FORMATS, html
from reports.statistics.constants import LEVEL_TEXT
from reports.table import Table
from reports.templates import page

SCRIPTS = ("tables.js", "filter.js")

#: Headings of cards, each with its labels and texts.
Cards = Sequence[tuple[str, Sequence[tuple[str, str]]]]


def index_page(
    frames: ReportFrames,
    prompts: Sequence[PromptRows],
    tables: Sequence[Table],
    figures: Sequence[FigureFiles],
    *,
    title: str,
    notes: Sequence[str],
    provenance: Mapping[str, str],
    cards: Cards,
    extra_faces: Sequence[ExtraFaces] = (),
    data: Sequence[str] = (),
) -> str:
    """Return the page as HTML.

    Args:
        frames: The study's results.
        prompts: The rows of the prompts' own pages.
        tables: Tables in their order; the first is shown, the others are folded.
        figures: Figures in their order.
        title: Heading.
        notes: Sentences at the top.
        provenance: Further facts for the end.
        cards: Cards of methods and metrics.
        extra_faces: By method, the views of backs that were counted as showing a face.
        data: Names of files in the folder ``data`` to link to.
    """
    cells = CellList(frames, prompts, root="")
    status, gaps, arms = frames.cells["status"], Gaps.of(frames), Arms.of(frames)
    return page(
        "index.html.j2",
        scripts=SCRIPTS,
        cell_list=cells.content,
        title=title,
        notes=notes,
        best_methods=list(best_methods(tables[0])) if tables else [],
        tables=[(table, html.live(table, cells.places)) for table in tables],
        formats=list(FORMATS),
        has_factors=any(entry.sd_factor is not None for table in tables for row in table.rows for entry in row.entries),
        methods=frames.methods,
        counts={
            "cells": len(status),  # not the study's, which may have prompts or seeds without any cell
            "completed": int((status == "completed").sum()),
            "not_run": len(gaps.not_run),
            "seeds": frames.cells.loc[frames.cells["provenance"] != "imported", "seed"].nunique(),
        },
        of_imported=gaps.of_imported,
        prompts=prompts,
        columns=_columns(frames, prompts),
        seeds=frames.cells["seed"].nunique(),
        figures=figures,
        coverage=coverage(frames),
        diverged=listed(DIVERGED, "and"),
        failed=listed(FAILED, "and"),
        level=LEVEL_TEXT,
        failures=[(prompt, row) for prompt in prompts for row in prompt.rows if not row.completed],
        arms=html.render(arms.table),
        shared_settings=arms.shared,
        cards=cards,
        extra_faces=extra_faces,
        provenance={**_provenance(frames.cells), **provenance},
        data=data,
    )


def _columns(frames: ReportFrames, prompts: Sequence[PromptRows]) -> list[str]:
    """The ground truth, if any prompt has one, and the arms."""
    truth = any(prompt.of(GROUND_TRUTH) for prompt in prompts)
    return [*([GROUND_TRUTH] if truth else []), *frames.methods]


def _provenance(cells: pd.DataFrame) -> dict[str, str]:
    """Describe the measured cells; of imported ones nothing is known."""
    cells = cells[cells["provenance"] != "imported"]
    code = map(code_of, cells[["git_commit", "git_dirty"]].to_dict("records"))
    found = {
        "code": ", ".join(dict.fromkeys(code)),
        "device": ", ".join(dict.fromkeys(map(str, cells["device"].dropna()))),
        "seeds": ", ".join(map(str, sorted(set(cells["seed"])))),
    }
    return {name: text for name, text in found.items() if text}

"""The tables of a report, in their order on the page."""

from __future__ import annotations

from collections.abc import Sequence

from reports.differences import differences_table
from reports.frames import ReportFrames
from reports.runs import runs_table
from reports.summary import common_table, summary_table
from reports.table import Table


def all_tables(frames: ReportFrames, notes: Sequence[str], *, baseline: str) -> list[Table]:
    """Every table of the study, the first of which is the one to read.

    Args:
        frames: The study's results.
        notes: Sentences that every caption must carry.
        baseline: Label of the arm that others are compared with.
    """
    return [
        summary_table(frames, notes),
        common_table(frames, notes),
        differences_table(frames, notes, baseline=baseline),
        runs_table(frames, notes),
    ]

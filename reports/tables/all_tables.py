"""The tables of a report, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reports.claim import Claim
from reports.frames import ReportFrames
from reports.published import load_published
from reports.table import Table
from reports.tables.claims import claims_table
from reports.tables.cost import cost_table
from reports.tables.coverage import failures_table
from reports.tables.differences import comparisons_table, differences_table
from reports.tables.divergence import divergence_table
from reports.tables.measured import Measured
from reports.tables.published import Reproduction, published_table, refusal
from reports.tables.robust import robust_table
from reports.tables.summary import all_prompts_table, common_table, summary_table
from reports.tables.variance import variance_table


def all_tables(
    frames: ReportFrames,
    notes: Sequence[str],
    *,
    baseline: str,
    own_baselines: Mapping[str, str] | None = None,
    claims: Sequence[Claim] = (),
    reproduction: Reproduction | None = None,
) -> list[Table]:
    """Build every table for which the study has data; the first is the main one.

    Args:
        frames: The study's results.
        notes: Sentences that every caption must carry.
        baseline: Label of the arm that others are compared with.
        own_baselines: Label of another arm that an arm is compared with, by that arm's label.
        claims: What papers say of the arms.
        reproduction: Published tables to show next to the results; the first table's caption says which of them cannot
            be compared.

    Raises:
        ReportError: If a published table is unknown, or a baseline or claim names an unknown arm or score.
    """
    measured = Measured(frames, baseline, own_baselines or {})
    wanted = reproduction or Reproduction()
    printed = [load_published(name) for name in wanted.tables]
    refusals = [reason for each in printed if (reason := refusal(each, wanted))]
    tables = [
        summary_table(measured, [*refusals, *notes]),
        *(published_table(measured, each, notes) for each in printed if not refusal(each, wanted)),
        claims_table(measured, claims, notes),
        differences_table(measured, notes),
        common_table(measured, notes),
        all_prompts_table(measured, notes),
        divergence_table(measured, notes),
        cost_table(measured, notes),
        robust_table(measured, notes),
        comparisons_table(measured, notes),
        variance_table(measured, notes),
        failures_table(measured, notes),
    ]
    return [table for table in tables if table is not None]

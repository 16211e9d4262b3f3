"""The claims of papers about methods, each a paired comparison of two arms in one score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from reports.claim import Claim
from reports.frames import ReportError
from reports.render.printed import heading
from reports.statistics import PairedComparison
from reports.statistics.constants import ALPHA, ALPHA_TEXT, LEVEL_TEXT, POWER_TEXT
from reports.statistics.holm import holm
from reports.statistics.values import prompt_means
from reports.table import Entry, Row, Table, TableColumn
from reports.tables.columns import compared_column, mean_of, score_columns
from reports.tables.differences import CANNOT_TELL, verdict
from reports.tables.footnotes import metric_footnotes
from reports.tables.measured import Measured, estimate_entry

_COLUMNS: Final = (
    TableColumn("claim", "claim", kind="words"),
    TableColumn("agrees", "here", kind="words"),
    TableColumn("score", "score", kind="words"),
    TableColumn("arm", "the method"),
    TableColumn("against", "the other"),
    TableColumn("difference", "difference", signed=True),
    TableColumn("p", "p", decimals=4, kind="p"),
    TableColumn("p_holm", "p (Holm)", decimals=4, kind="p"),
    TableColumn("detectable", "detectable"),
)


def claims_table(measured: Measured, claims: Sequence[Claim], notes: Sequence[str]) -> Table | None:
    """Build the table of the papers' claims, a part for each paper; None without claims.

    Raises:
        ReportError: If a claim names an arm or a score that the study does not have, or a score without a direction.
    """
    if not claims:
        return None
    papers = list(dict.fromkeys(claim.paper for claim in claims))
    ordered = sorted(claims, key=lambda claim: papers.index(claim.paper))  # the rows of a part are adjacent
    scores = {column.key: column for column in score_columns(measured.frames)}
    for claim in ordered:
        where = f"claim {claim.text!r} of {claim.paper}"
        if claim.metric not in scores:
            raise ReportError(f"{where}: {claim.metric!r} is not one of the scores {', '.join(scores)}")
        if scores[claim.metric].direction is None:
            raise ReportError(f"{where}: {claim.metric!r} has no better direction")
    found = [measured.compare(scores[claim.metric], claim.arm, claim.against) for claim in ordered]
    corrected = holm([comparison.test.p for comparison in found])
    rows = [
        _row(measured, claim, scores[claim.metric], replace(comparison, p_holm=p))
        for claim, comparison, p in zip(ordered, found, corrected, strict=True)
    ]
    caption = (
        f"Means of two methods over the prompts and seeds that both have, and their difference [{LEVEL_TEXT} bootstrap "
        "interval] (pairs); of a score with a target, the difference of the distances to it.",
        f"Yes or no: the sign-flip test of this claim alone has p ≤ {ALPHA:g} and the interval excludes 0. If "
        f"two methods do not differ, a claim has a yes or a no by chance in {ALPHA_TEXT} of cases; p (Holm) is "
        "corrected for all claims of the table.",
        "No difference seen: the claim is that the method is not worse, and the data show no difference, which does "
        "not mean that there is none. Detectable: the smallest difference that these prompts detect with "
        f"{POWER_TEXT} power.",
        *notes,
    )
    used = [column for key, column in scores.items() if key in {claim.metric for claim in claims}]
    footnotes = metric_footnotes(measured.frames, used)
    return Table("claims", "The papers' claims", caption, "Comparison", _COLUMNS, tuple(rows), footnotes)


def agreement(claim: Claim, comparison: PairedComparison, column: TableColumn) -> str:
    """Judge a claim: ``yes``, ``no``, ``cannot tell``, or ``no difference seen`` for a claim that there is none.

    Unlike the verdicts of the other tables, p is that of this claim alone.
    """
    alone = verdict(replace(comparison, p_holm=comparison.test.p), compared_column(column))
    if alone == CANNOT_TELL and claim.expects == "level" and comparison.test.p is not None:
        return "no difference seen"
    return {"better": "yes", "worse": "no"}.get(alone, alone)


def _row(measured: Measured, claim: Claim, column: TableColumn, comparison: PairedComparison) -> Row:
    compared = compared_column(column)
    scores = measured.scores(column.key)
    apart = np.isnan(scores.method(claim.arm)) | np.isnan(scores.method(claim.against))
    values = [prompt_means(np.where(apart, np.nan, scores.method(arm))) for arm in (claim.arm, claim.against)]
    means = [Entry(mean=float(mean_of(column)(each)) if len(each) else None) for each in values]
    entries = (
        Entry(text=claim.text),
        Entry(text=agreement(claim, comparison, column)),
        Entry(text=heading(column)),
        *means,
        estimate_entry(comparison.difference, cells=measured.pairs(scores, claim.arm, claim.against)),
        Entry(mean=comparison.test.p, why=comparison.test.reason),
        Entry(mean=comparison.p_holm, why=comparison.test.reason),
        Entry(mean=comparison.detectable),
    )
    own = {"arm": column, "against": column, "difference": compared, "detectable": compared}
    columns = tuple(replace(each, decimals=own[each.key].decimals) if each.key in own else each for each in _COLUMNS)
    return Row(f"{claim.arm} − {claim.against}", entries, part=claim.paper, columns=columns)

"""Table of statuses: the cells that diverged, by kind, and those that failed for reasons of the machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reports.frames import DIVERGED, FAILED, listed
from reports.statistics import PValue, StudyScores, holm, mcnemar_test, paired_differences, sign_flip_test
from reports.statistics.constants import ALPHA, LEVEL_TEXT, SEED
from reports.table import Entry, Row, Table, TableColumn
from reports.tables.coverage import coverage
from reports.tables.differences import CANNOT_TELL
from reports.tables.measured import Measured
from reports.tables.summary import DIVERGENCE, MORE_STARTS, divergence_entry, more_starts, on_more_starts


def divergence_table(measured: Measured, notes: Sequence[str]) -> Table:
    """Build the table of the share of diverged cells against the baseline's, and of counts by status."""
    baselines = measured.baselines
    tests = {method: _test(measured.divergence, method, baselines.of(method)) for method in measured.others}
    corrected = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    counts = [TableColumn(status, status, decimals=0) for status in ("completed", *DIVERGED, *FAILED)]
    columns = (
        DIVERGENCE,
        TableColumn("p", "p", decimals=4, kind="p"),
        TableColumn("p_holm", "p (Holm)", decimals=4, kind="p"),
        TableColumn("verdict", f"than {baselines.name}", kind="words"),
        TableColumn("cells", "cells", decimals=0),
        *counts,
        MORE_STARTS,
    )
    rows = []
    for method in measured.methods:
        cells = measured.frames.cells[measured.frames.cells["method"] == method]
        test = tests.get(method)
        entries = [divergence_entry(measured, method)]
        entries += [_p(test, None if test is None else test.p), _p(test, corrected.get(method))]
        entries += [Entry(text=_verdict(measured, method, corrected[method]) if test else "")]
        entries += [Entry(mean=float(len(cells)))]
        for status in (column.key for column in counts):
            own = cells.loc[cells["status"] == status, "cell"]
            entries.append(Entry(mean=float(len(own)), cells=tuple(map(str, own))))
        entries += [Entry(mean=float(more_starts(cells)))]
        rows.append(Row(method, tuple(entries)))
    how = "McNemar's exact test on the prompts that one of the two lost"
    if len(measured.divergence.seeds) > 1:
        how = "the sign-flip test on the prompts' shares of diverged cells"
    caption = (
        f"Div.: share of cells that ended {listed(DIVERGED)} among those that did not fail, with its {LEVEL_TEXT} "
        f"interval over prompts (Wilson's if each prompt has one outcome); {listed(FAILED, 'and')} are failures of "
        "the run and say nothing about the method.",
        f"p: {how}, against {baselines.name}; Holm: over the methods.",
        *baselines.listed,
        *on_more_starts(measured),
        coverage(measured),
        *notes,
    )
    return Table("divergence", "Divergence and failures", caption, "Method", columns, tuple(rows))


def _test(divergence: StudyScores, method: str, baseline: str) -> PValue:
    ours, theirs = divergence.method(method), divergence.method(baseline)
    if ours.shape[1] == 1:
        return mcnemar_test(ours[:, 0], theirs[:, 0])
    return sign_flip_test(paired_differences(ours, theirs), SEED)


def _p(test: PValue | None, p: float | None) -> Entry:
    return Entry() if test is None else Entry(mean=p, n=None, why=test.reason)


def _verdict(measured: Measured, method: str, p_holm: float | None) -> str:
    if p_holm is None or p_holm > ALPHA:
        return CANNOT_TELL
    theirs = measured.divergence.method(measured.baselines.of(method))
    differences = paired_differences(measured.divergence.method(method), theirs)
    return "more often" if float(np.nanmean(differences)) > 0 else "less often"

"""The tables of means: over what each method completed, over common prompts, and over all prompts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from reports.frames import DIVERGED, FAILED
from reports.means import common_prompts
from reports.statistics import StudyScores, share, with_blank_for_diverged
from reports.statistics.values import MIN_PROMPTS
from reports.table import Column, Entry, Row, Table
from reports.tables.columns import Cost, cost_columns, headline_scores, memory_kinds
from reports.tables.coverage import coverage
from reports.tables.footnotes import metric_footnotes
from reports.tables.measured import SEED, Measured, entry_of, estimate_entry
from reports.tables.ranks import rank_of_each

#: Controls in the order of their rows, and what a reader calls them.
CONTROLS: Final = {
    "blank": "blank picture",
    "noise": "pixel noise",
    "other_prompt": "render of another prompt",
    "prior_2d": "the prior's own pictures",
}
CONTROLS_PART: Final = "Controls: pictures that no method made, never ranked"
DIVERGENCE: Final = Column("divergence", "Div.", "%", "down", decimals=1)


def summary_table(measured: Measured, notes: Sequence[str]) -> Table:
    """Scores, divergence and cost of what each method completed: the table to read first.

    Args:
        measured: The study's numbers.
        notes: Sentences that the caption must carry, such as whose scorers these are.
    """
    sentences = ["Scores, time and memory are of completed cells only, so n falls where cells diverged."]
    sentences += [coverage(measured), *_without_blank(measured), *notes]
    prompts, costs = list(measured.frames.prompts), cost_columns(measured.frames)
    return _table(measured, "summary", "Results", prompts, costs, sentences)


def common_table(measured: Measured, notes: Sequence[str]) -> Table | None:
    """The same over the prompts that every method completed; None where these are all, or there are none."""
    common = common_prompts(measured.frames)
    if len(common) in (0, len(measured.frames.prompts)):
        return None
    sentences = (
        f"Over the {len(common)} prompts that every method completed, so that all means are over the same prompts; "
        "this flatters a method that diverged on the others. Div. is over all prompts.",
        coverage(measured),
        *notes,
    )
    title = "Results on the common prompts"
    return _table(measured, "summary-common", title, common, cost_columns(measured.frames), sentences)


def all_prompts_table(measured: Measured, notes: Sequence[str]) -> Table | None:
    """Scores over all prompts, a diverged cell scored as the blank control; None without either of the two."""
    if not _any_diverged(measured) or not _has_blank(measured):
        return None
    sentences = (
        "A cell that diverged has the score of a blank picture of its prompt, where the metric gives it one; cells "
        "that ran out of memory or time or crashed are left out.",
        *notes,
    )
    title = "Results on all prompts, diverged cells scored as blank"
    prompts = list(measured.frames.prompts)
    return _table(measured, "summary-all-prompts", title, prompts, [], sentences, scores=_imputed)


def divergence_entry(measured: Measured, method: str) -> Entry:
    """Share of diverged cells in %, with its count ``k/n`` and its interval over prompts; failures are a note."""
    cells = measured.frames.cells[measured.frames.cells["method"] == method]
    status = cells["status"]
    failed = status[status.isin(FAILED)]
    again = int((cells["attempts"].astype(float) - 1).clip(lower=0).sum())
    notes = [f"{(failed == kind).sum()} {kind}" for kind in FAILED if (failed == kind).any()]
    notes += [f"{again} {'retry' if again == 1 else 'retries'}"] if again else []
    found = share(measured.divergence.method(method), SEED)
    text = f"{int(status.isin(DIVERGED).sum())}/{len(status) - len(failed)}"
    own = measured.cells(measured.divergence, method)
    entry = estimate_entry(found, factor=100.0, text=text, note=", ".join(notes), cells=own)
    return entry if len(measured.divergence.seeds) > 1 else replace(entry, n=None)  # the count has it


def _completed(measured: Measured, column: Column) -> StudyScores:
    return measured.scores(column.key)


def _imputed(measured: Measured, column: Column) -> StudyScores:
    """The scores with blanks for diverged cells; those stay without, for whose prompt the control has no score."""
    blank, scores = measured.controls("blank", column.key), measured.scores(column.key)
    known = {prompt: blank.get(prompt, np.nan) for prompt in scores.prompts}
    return with_blank_for_diverged(scores, measured.divergence, known)


def _table(
    measured: Measured,
    name: str,
    title: str,
    prompts: list[str],
    costs: Sequence[Cost],
    sentences: Sequence[str],
    *,
    scores: Callable[[Measured, Column], StudyScores] = _completed,
) -> Table:
    images, truth = (headline_scores(measured.frames, group) for group in ("image", "truth"))
    of_column = {column.key: scores(measured, column).of_prompts(prompts) for column in (*images, *truth)}
    groups = {column.key: rank_of_each(of_column[column.key], column) for column in (*images, *truth)}

    def scored(columns: Sequence[Column], method: str) -> list[Entry]:
        keys = [column.key for column in columns]
        return [measured.mean_entry(of_column[key], method, group=groups[key].get(method)) for key in keys]

    rows = []
    for method in measured.methods:
        paid = [_cost_entry(measured, cost, method, prompts) for cost in costs]
        entries = [*scored(images, method), divergence_entry(measured, method), *paid, *scored(truth, method)]
        rows.append(Row(method, tuple(entries)))
    between = [Entry() for _ in range(1 + len(costs))]
    for control in _controls(measured):
        shown = [[_control_entry(measured, control, column, prompts) for column in part] for part in (images, truth)]
        label = CONTROLS.get(control, control)
        rows.append(Row(label, (*shown[0], *between, *shown[1]), part=CONTROLS_PART))
    columns = (*images, DIVERGENCE, *(cost.column for cost in costs), *truth)
    caption = (*_how_to_read(rows, costs=bool(costs)), *sentences)
    footnotes = metric_footnotes(measured.frames, (*images, *truth))
    return Table(name, title, caption, "Method", columns, tuple(rows), footnotes)


def _how_to_read(rows: Sequence[Row], *, costs: bool) -> list[str]:
    """Only the sentences that something in the table needs."""
    entries = [entry for row in rows for entry in row.entries]
    sentences = ["Mean ± SD over prompts (n); an asset's views are averaged first, then a prompt's seeds."]
    if any(entry.low is not None and entry.sd is not None for entry in entries):
        sentences.append("The interval is the mean's at 95 %, bootstrapped over prompts.")
    else:
        sentences.append(f"A mean has an interval, and methods are ranked, from {MIN_PROMPTS} prompts on.")
    if any(entry.group for entry in entries):
        sentences.append(
            "Methods marked a cannot be told from the best of the column, b not from the best of the rest, and so on "
            "(paired sign-flip tests, Holm over all pairs, 5 %); a column without marks ranks nothing."
        )
    elif any(entry.group == 0 for entry in entries):
        sentences.append("No two methods can be told apart (paired sign-flip tests, Holm over all pairs, 5 %).")
    sentences.append(
        "Div. is the share of cells that ended nan, empty, opaque or frozen, its interval Wilson's; cells that ran out "
        "of memory or time or crashed are noted and not counted."
    )
    if costs:
        sentences.append(
            "Time is of the optimisation alone; memory is a cell's peak (rss: of the process; cuda: allocated by "
            "torch); UNet rows are network calls × batch."
        )
    return sentences


def _cost_entry(measured: Measured, cost: Cost, method: str, prompts: list[str]) -> Entry:
    scores = measured.cost(cost.source).of_prompts(prompts)
    note = ""
    if cost.source == "peak_bytes" and "+" in memory_kinds(measured.frames.cells):
        note = memory_kinds(measured.completed[measured.completed["method"] == method])
    return entry_of(scores.method(method) / cost.size, note=note, cells=measured.cells(scores, method))


def _controls(measured: Measured) -> list[str]:
    present = set(measured.frames.controls["control"])
    return [name for name in CONTROLS if name in present] + sorted(present - set(CONTROLS))


def _control_entry(measured: Measured, control: str, column: Column, prompts: Collection[str]) -> Entry:
    found = measured.controls(control, column.key)
    return entry_of(np.array([found[prompt] for prompt in prompts if prompt in found], dtype=np.float64))


def _any_diverged(measured: Measured) -> bool:
    return bool(measured.frames.cells["status"].isin(DIVERGED).any())


def _has_blank(measured: Measured) -> bool:
    return bool((measured.frames.controls["control"] == "blank").any())


def _without_blank(measured: Measured) -> list[str]:
    if not _any_diverged(measured) or _has_blank(measured):
        return []
    return ["The blank control was not scored, so there is no table with diverged cells scored as blank."]

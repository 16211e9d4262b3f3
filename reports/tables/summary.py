"""The tables of means: over what each method completed, over common prompts, and over all prompts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from reports.costs import MEMORY, Cost, memory_kinds, study_costs
from reports.frames import DIVERGED, FAILED, listed
from reports.means import common_prompts
from reports.statistics import StudyScores, share, with_blank_for_diverged
from reports.statistics.constants import ALPHA_TEXT, LEVEL_TEXT, SEED
from reports.statistics.values import MIN_PROMPTS
from reports.table import Entry, Row, Sentence, Table, TableColumn
from reports.tables.columns import headline_scores
from reports.tables.coverage import coverage
from reports.tables.footnotes import metric_footnotes
from reports.tables.measured import Measured, entry_of, estimate_entry, score_entry
from reports.tables.ranks import cannot_be_ranked, rank_of_each

CONTROLS_PART: Final = "Controls: images that no method made, never ranked"
DIVERGENCE: Final = TableColumn("divergence", "Div.", "%", "down", decimals=1)
MORE_STARTS: Final = TableColumn("more_starts", "more starts", decimals=0)


def summary_table(measured: Measured, notes: Sequence[str]) -> Table:
    """Build the main table: scores, divergence and cost of the cells that each method completed.

    Args:
        measured: The study's numbers.
        notes: Sentences for the caption, such as the suite of the scorers.
    """
    sentences = [
        "Scores, time and memory are of completed cells only.",
        Sentence("So n falls where cells diverged.", is_of_spread=True),
    ]
    sentences += [coverage(measured), *_without_blank(measured), *notes]
    prompts, costs = list(measured.frames.prompts), study_costs(measured.frames)
    return _table(measured, "summary", "Results", prompts, costs, sentences)


def common_table(measured: Measured, notes: Sequence[str]) -> Table | None:
    """Build the same table over the prompts that every method completed; None if these are all, or none."""
    common = common_prompts(measured.frames)
    if len(common) in (0, len(measured.frames.prompts)):
        return None
    prompts = "one prompt" if len(common) == 1 else f"{len(common)} prompts"
    flatters = "; this flatters a method that diverged on the others" if _any_diverged(measured) else ""
    sentences = (
        f"Over the {prompts} that every method completed, so that all means are over the same prompts{flatters}. "
        "Div. is over all prompts.",
        coverage(measured),
        *notes,
    )
    title = "Results on the common prompts"
    return _table(measured, "summary-common", title, common, study_costs(measured.frames), sentences)


def all_prompts_table(measured: Measured, notes: Sequence[str]) -> Table | None:
    """Build the table over all prompts, with diverged cells scored as the blank control; None if either is missing."""
    if not _any_diverged(measured) or not _has_blank(measured):
        return None
    sentences = (
        "A cell that diverged has the score of a blank image for its prompt, if the metric gives it one; cells "
        "that ran out of memory or time or crashed are left out.",
        *notes,
    )
    title = "Results on all prompts, diverged cells scored as blank"
    prompts = list(measured.frames.prompts)
    return _table(measured, "summary-all-prompts", title, prompts, [], sentences, scores=_imputed)


def more_starts(cells: pd.DataFrame) -> int:
    """Count the starts of cells after their first ones."""
    return int((cells["attempts"].astype(float) - 1).clip(lower=0).sum())


def on_more_starts(measured: Measured) -> list[Sentence]:
    """Say what more starts are, where a cell has some: a reader may take them for failures of a method."""
    if not more_starts(measured.frames.cells):
        return []
    why = (
        "More starts: cells were started again, after an interruption, a failure or an error of the machine; only the "
        "last start counts."
    )
    return [Sentence(why, (DIVERGENCE.key, MORE_STARTS.key))]  # a note of the one, the numbers of the other


def divergence_entry(measured: Measured, method: str) -> Entry:
    """Make the entry of the share of diverged cells in %, with count ``k/n`` and interval; failures are a note."""
    cells = measured.frames.cells[measured.frames.cells["method"] == method]
    status = cells["status"]
    failed = status[status.isin(FAILED)]
    more = more_starts(cells)
    notes = [f"{(failed == kind).sum()} {kind}" for kind in FAILED if (failed == kind).any()]
    notes += [f"{more} more {'start' if more == 1 else 'starts'}"] if more else []
    notes += ["by the images"] if (cells["provenance"] == "imported").any() else []
    found = share(measured.divergence.method(method), SEED)
    text = f"{int(status.isin(DIVERGED).sum())}/{len(status) - len(failed)}"
    own = measured.cells(measured.divergence, method)
    entry = estimate_entry(found, factor=100.0, text=text, note=", ".join(notes), cells=own)
    return entry if len(measured.divergence.seeds) > 1 else replace(entry, n=None)  # the count has it


def _completed(measured: Measured, column: TableColumn) -> StudyScores:
    return measured.scores(column.key)


def _imputed(measured: Measured, column: TableColumn) -> StudyScores:
    """Return the scores with those of blank images for diverged cells, if the control has a score of the prompt."""
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
    scores: Callable[[Measured, TableColumn], StudyScores] = _completed,
) -> Table:
    images, truth = (headline_scores(measured.frames, group) for group in ("image", "truth"))
    of_column = {column.key: scores(measured, column).of_prompts(prompts) for column in (*images, *truth)}
    groups = {column.key: rank_of_each(of_column[column.key], column) for column in (*images, *truth)}
    unranked = [column for column in (*images, *truth) if cannot_be_ranked(of_column[column.key], column)]

    def scored(columns: Sequence[TableColumn], method: str) -> list[Entry]:
        return [
            measured.mean_entry(of_column[column.key], method, column, group=groups[column.key].get(method))
            for column in columns
        ]

    rows = []
    for method in measured.methods:
        paid = [_cost_entry(measured, cost, method, prompts) for cost in costs]
        entries = [*scored(images, method), divergence_entry(measured, method), *paid, *scored(truth, method)]
        rows.append(Row(method, tuple(entries)))
    between = [Entry() for _ in range(1 + len(costs))]
    for control, label in measured.frames.control_titles.items():
        shown = [[_control_entry(measured, control, column, prompts) for column in part] for part in (images, truth)]
        rows.append(Row(label, (*shown[0], *between, *shown[1]), part=CONTROLS_PART))
    columns = (*images, DIVERGENCE, *(cost.column for cost in costs), *truth)
    caption = (*_how_to_read(rows, columns, costs, unranked), *on_more_starts(measured), *sentences)
    footnotes = metric_footnotes(measured.frames, (*images, *truth))
    return Table(name, title, caption, "Method", columns, tuple(rows), footnotes)


def _how_to_read(
    rows: Sequence[Row], columns: Sequence[TableColumn], costs: Sequence[Cost], unranked: Sequence[TableColumn]
) -> list[str]:
    """Return the sentences that something in the table needs."""
    entries = [entry for row in rows for entry in row.entries]
    sentences = [
        "Means over prompts; an asset's views are averaged first, then a prompt's seeds.",
        Sentence("± is the SD over the prompts, whose number n is in brackets.", is_of_spread=True),
    ]
    if ratios := {column.key: column.title for column in columns if column.is_ratio}:
        keys, names = tuple(ratios), listed(list(ratios.values()), "and")
        why = "as half and twice the target are equally wrong"
        sentences.append(Sentence(f"{names}: geometric mean over prompts, {why}.", keys))
        factor = f"×/÷: of {names}, the SD is that of the logarithm, as a factor: 10 ×/÷ 2 is a range from 5 to 20."
        sentences.append(Sentence(factor, keys, is_of_spread=True))
    if any(entry.low is not None and (entry.sd, entry.sd_factor) != (None, None) for entry in entries):
        interval = f"The interval is the mean's at {LEVEL_TEXT}, bootstrapped over prompts."
    else:
        interval = f"A mean has an interval, and methods are ranked, from {MIN_PROMPTS} prompts on."
    sentences.append(Sentence(interval, is_of_spread=True))
    if unranked:
        all_of_them = all(entry.group is None for entry in entries)
        names = (
            "No score has a ranking" if all_of_them else f"No ranking of {listed([each.title for each in unranked])}"
        )
        keys = () if all_of_them else tuple(column.key for column in unranked)
        few = f"{names}: even if all prompts agreed, no two methods could be distinguished (Holm over all pairs)."
        sentences.append(Sentence(few, keys, is_of_spread=True))
    if any(entry.group for entry in entries):
        ranks = (
            "Methods marked a cannot be distinguished from the best of the column, b not from the best of the rest, "
            f"and so on (paired sign-flip tests, Holm over all pairs, {ALPHA_TEXT}); a column without marks has no "
            "ranking."
        )
        sentences.append(Sentence(ranks, is_of_spread=True))
    elif any(entry.group == 0 for entry in entries):
        sentences.append(
            f"{'In the other scores no' if unranked else 'No'} two methods can be distinguished (paired sign-flip "
            f"tests, Holm over all pairs, {ALPHA_TEXT})."
        )
    ended = (
        f"Div. is the share of cells that ended {listed(DIVERGED)}, its interval Wilson's; cells that ran out "
        "of memory or time or crashed are noted and not counted."
    )
    return [*sentences, Sentence(ended, (DIVERGENCE.key,)), *(Sentence(cost.definition, (cost.key,)) for cost in costs)]


def _cost_entry(measured: Measured, cost: Cost, method: str, prompts: list[str]) -> Entry:
    scores = measured.cost(cost.source).of_prompts(prompts)
    note = ""
    if cost.source == MEMORY.source and "+" in memory_kinds(measured.frames.cells):
        note = memory_kinds(measured.completed[measured.completed["method"] == method])
    return entry_of(scores.method(method) / cost.size, note=note, cells=measured.cells(scores, method))


def _control_entry(measured: Measured, control: str, column: TableColumn, prompts: Collection[str]) -> Entry:
    found = measured.controls(control, column.key)
    values = np.array([found[prompt] for prompt in prompts if prompt in found], dtype=np.float64)
    return score_entry(values, column)


def _any_diverged(measured: Measured) -> bool:
    return bool(measured.frames.cells["status"].isin(DIVERGED).any())


def _has_blank(measured: Measured) -> bool:
    return bool((measured.frames.controls["control"] == "blank").any())


def _without_blank(measured: Measured) -> list[str]:
    if not _any_diverged(measured) or _has_blank(measured):
        return []
    return ["The blank control was not scored, so there is no table with diverged cells scored as blank."]

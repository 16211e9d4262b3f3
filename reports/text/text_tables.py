"""Tables of a text, as Markdown: some scores of some arms, with as little as the text needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from reports.costs import COSTS
from reports.render.markdown import line, render
from reports.render.printed import heading, number
from reports.statistics import is_significant
from reports.statistics.values import prompt_means
from reports.table import Entry, TableColumn
from reports.tables import claims
from reports.tables.measured import score_entry
from reports.tables.summary import summary_table
from reports.text.study_numbers import StudyNumbers, split
from reports.text.words import TextError

_MARKS: Final = {"better": "⁺", "worse": "⁻"}
_MISSING: Final = "—"
_COSTS: Final = {cost.source: cost for cost in COSTS}


def arms_table(
    study: StudyNumbers,
    scores: str,
    *,
    arms: str | Sequence[str] = (),
    labels: Mapping[str, Sequence[str]] | None = None,
    stub: str = "method",
    costs: str = "",
    controls: str = "",
    by_prompt: bool = False,
    against: Mapping[str, str] | None = None,
) -> str:
    """Print a row for each arm with the means of some scores.

    Args:
        study: The numbers.
        scores: Keys of the scores, each with its digits after a colon if they differ from the column's.
        arms: Labels of the arms; without any, all of them.
        labels: The first cells of an arm's row, by its label, in place of the label alone.
        stub: Headings of these first cells, with ``|`` between them.
        costs: Costs after the scores: ``unet_rows`` and others of ``reports.costs``, or ``steps``; digits as above.
        controls: Names of controls for the last rows.
        by_prompt: Whether the scores of the prompts stand in place of their mean, in the study's order.
        against: The arm that an arm is compared with, by its label, for a column of its own: ``⁺`` or ``⁻`` stands
            where the score is better or worse than that arm's on every prompt.  Only ``by_prompt``.
    """
    if against is not None and not by_prompt:
        raise TextError("against is there with by_prompt only")
    if controls and by_prompt:
        raise TextError("controls are not there with by_prompt")
    columns = [study.column(score) for score in scores.split()]
    stub += "|against" if against is not None else ""
    names = [_cost_heading(cost) for cost in costs.split()]
    lines = [line([*stub.split("|"), *(heading(column) for column in columns), *names])]
    first = len(stub.split("|"))
    lines += [line(["---"] * first + ["---:"] * (len(columns) + len(names)))]
    for arm in split(arms) or study.arms:
        shown = list((labels or {}).get(arm, [arm]))
        values = [_shown(study, column, arm, by_prompt=by_prompt) for column in columns]
        if against is not None:
            other = against.get(arm, "")
            shown.append(other or _MISSING)
            values = [
                value + _MARKS.get(study.direction(score, arm, other), "") if other else value
                for value, score in zip(values, scores.split(), strict=True)
            ]
        lines.append(line([*shown, *values, *(_cost(study, cost, arm) for cost in costs.split())]))
    for control in controls.split():
        title = study.data.frames.control_titles[control]
        values = [_control(study, column, control) for column in columns]
        lines.append(line([f"*{title}*", *[""] * (first - 1), *values, *[_MISSING] * len(names)]))
    return "\n".join(lines)


def grouped_table(
    study: StudyNumbers,
    scores: str,
    groups: Mapping[str, str],
    *,
    heads: str,
    stub: str = "method",
    more: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """Print a row for each group of arms, with their means in one cell per score.

    Args:
        study: The numbers.
        scores: As ``arms_table`` has them.
        groups: Labels of the arms by the row's name; ``-`` for one that a group does not have.
        heads: What distinguishes the arms of a group, in their order, for the first heading.
        stub: Heading of the rows' names.
        more: Headings of further columns, and their cells by the row's name.
    """
    columns, others = [study.column(score) for score in scores.split()], more or {}
    names = [heading(column) for column in columns]
    lines = [line([stub, f"{names[0]}: {heads}", *names[1:], *others])]
    lines += [line(["---"] * (1 + len(columns)) + ["---:"] * len(others))]
    for name, row in groups.items():
        arms = row.split()
        cells = [
            ", ".join(_MISSING if arm == "-" else _shown(study, column, arm) for arm in arms) for column in columns
        ]
        lines.append(line([name, *cells, *(values[name] for values in others.values())]))
    return "\n".join(lines)


def claims_table(study: StudyNumbers) -> str:
    """Print the papers' claims that the study tests; those in bold have p ≤ 0.05 after Holm's correction for all."""
    found = claims.claims_table(study.measured, study.data.claims, ())
    if found is None:
        raise TextError("the study tests no claims")
    keys = [column.key for column in found.columns]
    lines = [line(["paper", "claim", "here", "score", "this method / the other", "difference", "p"])]
    lines += [line(["---"] * 6 + ["---:"])]
    for row in found.rows:
        entry: dict[str, Entry] = dict(zip(keys, row.entries, strict=True))
        column: dict[str, TableColumn] = {each.key: each for each in row.columns}
        here, corrected = entry["agrees"].text, entry["p_holm"].mean
        if here in ("yes", "no") and is_significant(corrected):
            here = f"**{here}**"
        arms = " / ".join(number(_known(entry[key].mean), column[key].decimals) for key in ("arm", "against"))
        difference, p = entry["difference"], entry["p"].mean
        printed = number(_known(difference.mean), column["difference"].decimals, signed=True)
        if difference.low is not None and difference.high is not None:
            ends = (difference.low, difference.high)
            printed += f" [{', '.join(number(end, column['difference'].decimals, signed=True) for end in ends)}]"
        of_p = _MISSING if p is None else "< 0.001" if p < 0.001 else number(p, 3)
        lines.append(line([row.part, entry["claim"].text, here, entry["score"].text, arms, printed, of_p]))
    return "\n".join(lines)


def full_table(study: StudyNumbers) -> str:
    """Print the report's main table with all scores, intervals, caption and footnotes."""
    return render(summary_table(study.measured, study.data.notes))


def _shown(study: StudyNumbers, column: TableColumn, arm: str, *, by_prompt: bool = False) -> str:
    scores = study.measured.scores(column.key).method(arm)
    if by_prompt:
        each = [prompt_means(row) for row in scores]
        return ", ".join(number(float(values[0]), column.decimals) if len(values) else _MISSING for values in each)
    entry = score_entry(scores, column)
    return _MISSING if entry.mean is None else number(entry.mean, column.decimals)


def _control(study: StudyNumbers, column: TableColumn, control: str) -> str:
    values = list(study.measured.controls(control, column.key).values())
    if not values:
        return _MISSING
    fewer = f" ({len(values)} of {study.prompts})" if len(values) < study.prompts else ""
    return number(_known(score_entry(values, column).mean), column.decimals) + fewer


def _cost(study: StudyNumbers, cost: str, arm: str) -> str:
    source, _, decimals = cost.partition(":")
    known = _COSTS.get(source)
    shown = int(decimals) if decimals else known.decimals if known else 0
    return number(study.cost(source, arm) / (known.size if known else 1.0), shown)


def _cost_heading(cost: str) -> str:
    source = cost.partition(":")[0]
    return heading(replace(_COSTS[source].column, direction=None)) if source in _COSTS else source


def _known(value: float | None) -> float:
    if value is None:
        raise TextError("a mean is missing")
    return value

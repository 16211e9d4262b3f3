"""LaTeX with booktabs, for a paper: a ``table*`` whose every text is escaped."""

from __future__ import annotations

import re

from reports.render.printed import heading, printed
from reports.table import Column, Entry, Table

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",  # at the start of a row it would be an argument of the \\\\ before it
    "−": "$-$",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "°": r"$^\circ$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "—": "---",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}
_MARKS = re.compile("|".join(map(re.escape, _ESCAPES)))


def render(table: Table) -> str:
    """The table as LaTeX for a document that loads ``booktabs`` and ``graphicx`` with T1 fonts."""
    head = [_text(table.stub), *(_text(heading(column)) for column in table.columns)]
    body = [
        [_text(row.label), *(_entry(entry, column) for entry, column in zip(row.entries, table.columns, strict=True))]
        for row in table.rows
    ]
    lines = [
        r"% \usepackage[T1]{fontenc}, \usepackage{booktabs}, \usepackage{graphicx}",
        r"\begin{table*}",
        r"  \centering",
        f"  \\caption{{\\textbf{{{_text(table.title)}.}} {_text(' '.join(table.caption))}}}",
        f"  \\label{{tab:{re.sub('[^a-z0-9]+', '-', table.name.lower())}}}",
        r"  \resizebox{\linewidth}{!}{%",
        f"  \\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"    \toprule",
        f"    {' & '.join(head)} \\\\",
        r"    \midrule",
        *(f"    {' & '.join(cells)} \\\\" for cells in body),
        r"    \bottomrule",
        r"  \end{tabular}}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _entry(entry: Entry, column: Column) -> str:
    mean, sd, bracket = (_text(part) for part in printed(entry, column))
    return mean + (rf" $\pm$ {sd}" if sd else "") + (rf" {{\scriptsize ({bracket})}}" if bracket else "")


def _text(text: str) -> str:
    return _MARKS.sub(lambda mark: _ESCAPES[mark.group()], " ".join(text.split()))

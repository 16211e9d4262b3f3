"""GitHub's Markdown: a pipe table between its title and its caption."""

from __future__ import annotations

import re

from reports.render.printed import heading, printed
from reports.table import Column, Entry, Table


def render(table: Table) -> str:
    """The table as Markdown; text from the data shows as it is, whatever marks it holds."""
    lines = [f"**{_text(table.title)}**", ""]
    lines += [_line([_text(table.stub), *(_text(heading(column)) for column in table.columns)])]
    lines += [_line(["---", *("---:" for _ in table.columns)])]
    for row in table.rows:
        entries = zip(row.entries, table.columns, strict=True)
        lines.append(_line([_text(row.label), *(_entry(entry, column) for entry, column in entries)]))
    lines += ["", _text(" ".join(table.caption))]
    return "\n".join(lines) + "\n"


def _entry(entry: Entry, column: Column) -> str:
    mean, sd, bracket = printed(entry, column)
    return _text(mean + (f" ± {sd}" if sd else "") + (f" ({bracket})" if bracket else ""))


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _text(text: str) -> str:
    """Escape what Markdown or the HTML in it would read as a mark (CommonMark 0.31, section 2.4; $ is GitHub's)."""
    return re.sub(r"([\\`*_\[\]<>|#&~$])", r"\\\1", " ".join(text.split()))

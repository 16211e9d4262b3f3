"""GitHub's Markdown: a pipe table between its title and its caption, and the footnotes as a list."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reports.render.printed import Printed, heading, printed_rows
from reports.table import Table

_SUPERSCRIPT = dict(zip("abcdefghijklmnopqrstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖqʳˢᵗᵘᵛʷˣʸᶻ", strict=True))


def render(table: Table) -> str:
    """Render Markdown; text from the data is escaped."""
    lines = [f"**{_text(table.title)}**", ""]
    lines += [line([_text(table.stub), *(_text(heading(column)) for column in table.columns)])]
    lines += [line(["---", *("---" if column.kind == "words" else "---:" for column in table.columns)])]
    part = ""
    for row, entries in printed_rows(table):
        if row.part != part:
            part = row.part
            lines.append(line([f"**{_text(part)}**", *("" for _ in table.columns)]))
        lines.append(line([_text(row.label), *map(_entry, entries)]))
    lines += ["", _text(" ".join(table.caption))]
    if table.footnotes:
        lines += ["", *(f"- {_text(footnote)}" for footnote in table.footnotes)]
    return "\n".join(lines) + "\n"


def superscript(letters: str) -> str:
    """Raise small letters, such as the mark of a rank group."""
    return "".join(_SUPERSCRIPT[letter] for letter in letters)


def _entry(entry: Printed) -> str:
    mark = superscript(entry.mark)
    sd, interval, bracket = entry.sd and f" {entry.sd}", entry.interval and f" [{entry.interval}]", entry.bracket
    return _text(entry.mean + mark + sd + interval + (f" ({bracket})" if bracket else ""))


def line(cells: Sequence[str]) -> str:
    """Print a row of a pipe table."""
    return "| " + " | ".join(cells) + " |"


def _text(text: str) -> str:
    """Escape the marks of Markdown and of HTML in it (CommonMark 0.31, section 2.4; $ is GitHub's)."""
    return re.sub(r"([\\`*_\[\]<>|#&~$])", r"\\\1", " ".join(text.split()))

"""LaTeX with booktabs and siunitx, for a paper: a ``table*`` in which all text is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reports.render.latex_pieces import pieces
from reports.render.printed import NOTHING, Printed, heading, printed_rows
from reports.table import Row, Table, TableColumn

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
    "÷": r"$\div$",
    "°": r"$^\circ$",
    "³": "$^3$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\to$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "√": r"$\surd$",
    "∅": r"$\emptyset$",
    "ε": r"$\varepsilon$",
    "κ": r"$\kappa$",
    "λ": r"$\lambda$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
    "—": "---",
    "–": "--",
    "…": r"\dots{}",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}
_MARKS = re.compile("|".join(map(re.escape, _ESCAPES)))


def render(table: Table) -> str:
    """Render LaTeX; the first line names the packages that the document must load.

    A number is in a siunitx ``S`` column, aligned at its point, and its details (SD, number of prompts, mark of the
    rank group) in a column at its right, if any has some; with an SD, the interval is on a line below.  Text beyond
    Latin scripts and the signs of this suite needs XeLaTeX or LuaLaTeX.  What is too high for a page goes on in further
    ``table*`` with the same number; the label and the entry in the list of tables are the first's, the footnotes are
    below the last.
    """
    rows = list(printed_rows(table))
    widths = [_width(column, [entries[place] for _, entries in rows]) for place, column in enumerate(table.columns)]
    cut = pieces(table, rows)
    lines = [r"% \usepackage[T1]{fontenc}, \usepackage{booktabs}, \usepackage{siunitx}, \usepackage{graphicx}"]
    for place, piece in enumerate(cut):
        lines += [r"\begin{table*}", r"  \centering\setlength{\belowcaptionskip}{\medskipamount}"]
        if place == 0:
            lines += [
                f"  \\caption{{\\textbf{{{_text(table.title)}.}} {_text(' '.join(table.caption))}}}",
                f"  \\label{{tab:{re.sub('[^a-z0-9]+', '-', table.name.lower())}}}",
            ]
        else:
            lines += [
                # the same table, with a target of its own for hyperref and no further entry in the list of tables
                rf"  \addtocounter{{table}}{{-1}}\def\theHtable{{\thetable.continued.{place}}}",
                r"  \renewcommand{\addcontentsline}[3]{}",
                f"  \\caption{{\\textbf{{{_text(table.title)}}} (continued).}}",
            ]
        if piece:
            lines += _tabular(table, piece, widths, list(_layout(widths, rows)))
        if piece is cut[-1]:
            lines += [rf"  \par\smallskip{{\footnotesize {_text(footnote)}\par}}" for footnote in table.footnotes]
        lines.append(r"\end{table*}")
    return "\n".join(lines) + "\n"


def _tabular(
    table: Table, rows: Sequence[tuple[Row, list[Printed]]], widths: Sequence[int], layout: Sequence[str]
) -> Iterator[str]:
    yield r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"  # wide ones shrink, none is enlarged
    yield f"  \\begin{{tabular}}{{l{''.join(layout)}}}"
    yield r"    \toprule"
    yield f"    {' & '.join([_text(table.stub), *map(_head, table.columns, widths)])} \\\\"
    yield r"    \midrule"
    yield from (f"    {line}" for line in _body(rows, widths))
    yield r"    \bottomrule"
    yield r"  \end{tabular}}"


def _width(column: TableColumn, entries: Sequence[Printed]) -> int:
    """Number of LaTeX's columns: 0 for words alone, 1 for numbers alone, 2 for numbers with details."""
    if column.kind == "words":
        return 0
    return 2 if any(entry.mark or entry.sd or entry.interval or entry.bracket for entry in entries) else 1


def _layout(widths: Sequence[int], rows: Sequence[tuple[Row, list[Printed]]]) -> Iterator[str]:
    """Yield column types: each ``S`` as wide as its longest number."""
    for index, width in enumerate(widths):
        if not width:
            yield "l"
            continue
        figures = [entries[index].mean for _, entries in rows if _is_number(entries[index].mean)] or ["0"]
        sign = "+" if any(figure[0] in "+−" for figure in figures) else ""
        wholes, _, decimals = zip(*(figure.lstrip("+−").partition(".") for figure in figures), strict=True)
        form = f"{sign}{max(map(len, wholes))}.{max(map(len, decimals))}"
        yield f"S[table-format={form}, retain-explicit-plus]" + (r"@{\,}l" if width == 2 else "")


def _body(rows: Sequence[tuple[Row, list[Printed]]], widths: Sequence[int]) -> Iterator[str]:
    part, width = "", 1 + sum(max(1, each) for each in widths)
    for row, entries in rows:
        if row.part != part:
            if part or row is not rows[0][0]:
                yield r"\midrule"
            part = row.part
            yield f"\\multicolumn{{{width}}}{{l}}{{\\textit{{{_text(part)}}}}} \\\\"
        pairs = list(zip(entries, widths, strict=True))
        yield f"{' & '.join([_text(row.label), *(_entry(*pair) for pair in pairs)])} \\\\"
        if any(entry.sd and entry.interval for entry in entries):
            yield f"{' & '.join(['', *(_below(*pair) for pair in pairs)])} \\\\"


def _head(column: TableColumn, width: int) -> str:
    return f"\\multicolumn{{{width}}}{{c}}{{{_text(heading(column))}}}" if width else _text(heading(column))


def _entry(entry: Printed, width: int) -> str:
    bracket = rf"{{\scriptsize ({_text(entry.bracket)})}}" if entry.bracket else ""
    if not width:
        return " ".join(filter(None, (_text(entry.mean), bracket)))
    figure = entry.mean.replace("−", "-") if _is_number(entry.mean) else f"{{{_text(entry.mean)}}}"
    if width == 1:
        return figure
    mark = f"\\textsuperscript{{{entry.mark}}}" if entry.mark else ""
    interval = _text(f"[{entry.interval}]") if entry.interval and not entry.sd else ""
    return f"{figure} & {' '.join(filter(None, (mark, _text(entry.sd), interval, bracket)))}".rstrip()


def _below(entry: Printed, width: int) -> str:
    """Render the interval of an entry with an SD, on the line below it."""
    if width < 2:
        return ""
    if not (entry.sd and entry.interval):
        return " & "
    return rf"\multicolumn{{2}}{{c}}{{\scriptsize {_text(f'[{entry.interval}]')}}}"


def _is_number(text: str) -> bool:
    return text != NOTHING and not text.startswith("<")


def _text(text: str) -> str:
    return _MARKS.sub(lambda mark: _ESCAPES[mark.group()], " ".join(text.split()))

"""LaTeX compiles the tables, if it is installed."""

import re
import shutil
import subprocess

import pytest

from reports.render import latex
from reports.table import Entry, Row, Table, TableColumn
from reports.tables import Reproduction, all_tables

DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs}
\usepackage{siunitx}
\usepackage{graphicx}
\begin{document}
%s
\end{document}
"""


def test_marks_of_the_data_are_escaped(table):
    text = latex.render(table)
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    assert not re.search(r"(?<!\\)[%#_]", body)
    assert len(re.findall(r"(?<!\\)\{", body)) == len(re.findall(r"(?<!\\)\}", body))
    rows = [line for line in body.splitlines() if line.endswith(r" \\") and "multicolumn{9}" not in line]
    # four columns of figures, one of them without details, and one of words; a line below has an entry over two columns
    # where there is an interval
    assert all(len(re.findall(r"(?<!\\)&", line)) + line.count("multicolumn{2}") == 8 for line in rows)


def test_the_packages_named_are_those_of_the_document(table):
    named = re.findall(r"\\usepackage(?:\[\w+\])?\{\w+\}", latex.render(table).splitlines()[0])
    assert named == [line for line in DOCUMENT.splitlines() if line.startswith(r"\usepackage")]


@pytest.fixture(scope="module")
def typeset(tmp_path_factory):
    """Run LaTeX on a document and return its log and list of tables."""
    if not (engine := shutil.which("pdflatex")):
        pytest.skip("no pdflatex: install texlive-latex-recommended and texlive-science")
    if subprocess.run(["kpsewhich", "siunitx.sty"], capture_output=True, check=False).returncode:
        pytest.skip("no siunitx: install texlive-science")

    def run(body, document=DOCUMENT):
        folder = tmp_path_factory.mktemp("latex")
        (folder / "table.tex").write_text(document % body, encoding="utf-8")
        command = [engine, "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode == 0, "\n".join(
            line for line in done.stdout.splitlines() if line.startswith(("!", "l."))
        )
        assert (folder / "table.pdf").stat().st_size > 0
        return done.stdout + "".join(path.read_text() for path in folder.glob("*.lot"))

    return run


def test_latex_compiles_texts_with_every_mark(typeset, table):
    log = typeset(latex.render(table))
    assert "Missing character" not in log


def test_latex_compiles_every_table_of_a_study(typeset, make_frames):
    prompts = {f"p{index}": f"object {index}" for index in range(8)}
    frames = make_frames(methods=("sds", "sdi", "ism"), prompts=prompts, views=2, statuses={("ism", "p2"): "nan"})
    wanted = Reproduction(("table1", "table2"), "sd21", "sd21")
    tables = all_tables(frames, ["The scorers are toys."], baseline="sds", reproduction=wanted)
    log = typeset("\n".join(latex.render(table) for table in tables))
    assert "Missing character" not in log
    assert len(tables) >= 10


def test_no_table_of_seven_arms_and_seven_metrics_is_too_high_for_a_page(typeset, make_frames):
    prompts = {f"p{index}": f"object {index}" for index in range(7)}
    frames = make_frames(
        methods=[f"method-{i}" for i in range(7)], prompts=prompts, views=1, controls=True, images=False
    )
    tables = all_tables(frames, ["The scorers are toys."], baseline="method-0")
    log = typeset("\n".join(latex.render(table) for table in tables))
    assert "too large" not in log


@pytest.mark.parametrize("caption", ["", "\\usepackage{caption}\n"])
def test_a_continued_table_is_one_of_the_list_of_tables_and_has_targets_of_its_own(typeset, caption):
    rows = tuple(Row(f"row {index}", (Entry(1.0),)) for index in range(100))
    tables = [Table(name, name, (), "Method", (TableColumn("score", "score"),), rows) for name in ("one", "two")]
    start = f"{caption}\\usepackage{{hyperref}}\n\\begin{{document}}\n\\listoftables\n"
    body = "\n".join(map(latex.render, tables))
    assert body.count("(continued)") == 4
    log = typeset(body, DOCUMENT.replace("\\begin{document}\n", start))
    assert re.findall(r"numberline \{(\d)\}", log) == ["1", "2"]
    assert "same identifier" not in log

"""The published texts say what their data say."""

import re
from pathlib import Path

import pytest

from reports import read_data
from reports.text.__main__ import RESULTS, main
from reports.text.render import render_text

TEXTS = sorted((RESULTS / "texts").glob("*.md.j2"))
DATA = sorted(path for path in (RESULTS / "data").iterdir() if path.is_dir())


@pytest.mark.parametrize("template", TEXTS, ids=lambda path: path.name.partition(".")[0])
def test_a_text_is_up_to_date(template):
    made = RESULTS / template.name.removesuffix(".j2")
    assert made.read_text(encoding="utf-8") == render_text(template, RESULTS / "data"), "run python -m reports.text"


@pytest.mark.parametrize("folder", DATA, ids=lambda path: path.name)
def test_data_are_read_and_used(folder):
    data = read_data(folder)
    assert data.files() == {name: (folder / name).read_text(encoding="utf-8") for name in data.files()}
    assert any(f'study("{folder.name}")' in text.read_text(encoding="utf-8") for text in TEXTS)


@pytest.mark.parametrize("path", sorted((RESULTS / "data").glob("*.csv")), ids=lambda path: path.stem)
def test_measurements_are_used(path):
    assert any(f'rows("{path.stem}")' in text.read_text(encoding="utf-8") for text in TEXTS)


def test_every_page_is_made_from_a_text():
    pages = {path.name for path in RESULTS.glob("*.md")}
    assert pages == {path.name.removesuffix(".j2") for path in TEXTS}


def test_every_image_is_shown():
    shown = {name for path in RESULTS.glob("*.md") for name in re.findall(r"\((\w+\.png)\)", path.read_text("utf-8"))}
    assert shown == {path.name for path in RESULTS.glob("*.png")}


def test_a_text_that_is_wrong_ends_with_status_2(monkeypatch, tmp_path, capsys):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.md.j2").write_text("{{ x }}")
    monkeypatch.setattr("reports.text.__main__.RESULTS", Path(tmp_path))
    assert main() == 2
    (tmp_path / "texts" / "b.md.j2").write_text("Right.\n")
    assert main() == 2
    captured = capsys.readouterr()
    assert captured.err == 2 * "a.md.j2: 'x' is undefined\n"
    assert captured.out == "b.md: written\n"
    (tmp_path / "texts" / "a.md.j2").write_text("Right.\n")
    assert main() == 0
    assert capsys.readouterr().out == "a.md: written\n"
    assert main() == 0
    assert capsys.readouterr().out == ""

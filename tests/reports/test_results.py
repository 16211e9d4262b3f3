"""The published texts say what their data say."""

import itertools
import re
from pathlib import Path

import pytest

from reports import read_data
from reports.text.__main__ import RESULTS, main
from reports.text.render import render_text
from reports.text.study_numbers import StudyNumbers
from reports.text.words import word

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


def test_the_main_page_says_what_the_data_say():
    page = " ".join((RESULTS.parents[1] / "README.md").read_text(encoding="utf-8").split())
    toybox, rivals, rows = (
        StudyNumbers(read_data(RESULTS / "data" / name)) for name in ("toybox", "rivals", "rivals_rows")
    )
    others = [arm for arm in toybox.arms if arm != "sds"]
    detail = toybox.difference("detail", "sdi", "sds", family=others)
    right = toybox.difference("right_detail", "sdi", "sds", family=others)
    assert 1.75 <= toybox.value("detail", "sdi") / toybox.value("detail", "sds") < 2
    assert detail.is_seen
    assert detail.nearer_by
    assert right.is_seen
    assert right.less_by
    steps = toybox.data.frames.cells["steps"].max()
    assert (
        f"After {steps} steps SDI has nearly twice SDS's detail ({detail.p}), and less of the truth's at its place"
        in page
    )
    assert not rivals.judged("clip_score", "better")
    for study, score in itertools.product((rivals, rows), ("right_detail", "psnr_aligned")):
        gains = [study.difference(score, arm, "sdi") for arm in ("hifa", "sds")]
        assert all(gain.is_seen and gain.value > 0 for gain in gains)
    assert "HiFA and SDS have more Right detail and PSNR" in page
    assert (
        f"none of [{len(rivals.arms) - 1} rivals](reports/results/rivals.md) has a better CLIP score by a test" in page
    )
    higher = rows.above("clip_score", rows.value("clip_score", "sdi"))
    assert not any(rows.difference("clip_score", arm, "sdi").is_seen for arm in higher)
    claim = (
        f"for equal UNet rows {word(len(higher))} have a higher mean, which {word(rows.prompts)} prompts cannot confirm"
    )
    assert claim in page

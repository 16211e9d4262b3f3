from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.sums import SUMS_FILE, damaged_files, list_sums

FILES = {
    "index.html": b"<html></html>",
    "tables/a b.csv": b"x,y\n1,2\n",
    "prompts/c\xe4t.html": b"<p>",
    "images/g.png": b"0",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sums") / "report"
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / SUMS_FILE).write_text(list_sums(folder), encoding="utf-8")
    (folder / "notes.txt").write_text("a user's own")
    return folder


def _copy(whole: Path) -> Path:
    return Path(shutil.copytree(whole, whole.parent / "copy", dirs_exist_ok=True))


@given(st.sampled_from(sorted(FILES)), st.integers(0, 12), st.booleans())
def test_each_cut_and_each_changed_byte_is_found(whole: Path, name: str, place: int, cut: bool) -> None:
    folder = _copy(whole)
    content = FILES[name]
    place %= len(content)
    changed = bytes([content[place] ^ 1])
    (folder / name).write_bytes(content[:place] + (b"" if cut else changed + content[place + 1 :]))
    assert list(damaged_files(folder)) == [(folder / name, "is cut short or was changed")]
    (folder / name).unlink()
    assert list(damaged_files(folder)) == [(folder / name, "is missing")]


@given(st.data())
def test_a_list_that_is_cut_is_found(whole: Path, data: st.DataObject) -> None:
    folder = _copy(whole)
    assert list(damaged_files(folder)) == []
    content = (whole / SUMS_FILE).read_bytes()
    end = data.draw(st.integers(0, len(content) - 2))  # without the last line feed all is there
    (folder / SUMS_FILE).write_bytes(content[:end])
    assert [path for path, _ in damaged_files(folder)] == [folder / SUMS_FILE]


def test_a_file_that_the_list_has_not_is_found(whole: Path) -> None:
    folder = _copy(whole)
    (folder / "tables" / "more.csv").write_text("x")
    assert [path for path, _ in damaged_files(folder)] == [folder / SUMS_FILE]
    (folder / "tables" / "more.csv").unlink()
    assert list(damaged_files(folder)) == []


def test_a_report_without_a_list_is_damaged(tmp_path: Path) -> None:
    assert list(damaged_files(tmp_path)) == []
    (tmp_path / "index.html").write_text("<")
    assert list(damaged_files(tmp_path)) == [(tmp_path / SUMS_FILE, "is missing")]

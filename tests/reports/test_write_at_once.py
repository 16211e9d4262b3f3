"""Several processes that write the report of one run folder."""

from __future__ import annotations

import errno
import fcntl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reports.sums import FOLDERS
from reports.write import _replace


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_reports_that_are_written_at_once_are_whole(tmp_path: Path) -> None:
    """What is there at the end is one of them, and none has failed."""

    def write(number: int) -> None:
        for again in range(20):
            new = tmp_path / f"new-{number}-{again}"
            for name in (*(f"{folder}/{part}.txt" for folder in FOLDERS for part in range(5)), "index.html"):
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                (new / name).write_text(new.name)
            _replace(new, tmp_path / "report")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    found = _contents(tmp_path / "report")
    assert len(found) == 5 * len(FOLDERS) + 1
    assert len(set(found.values())) == 1


def test_a_folder_that_cannot_be_locked_gets_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "index.html").write_text("a report")
    _replace(tmp_path / "new", tmp_path / "report")
    assert _contents(tmp_path / "report") == {"index.html": b"a report"}

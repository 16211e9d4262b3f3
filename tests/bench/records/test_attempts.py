from __future__ import annotations

from pathlib import Path

import pytest

from bench.records.attempts import Attempts, AttemptsFile


def test_what_is_written_is_read_back_and_dropped(tmp_path: Path) -> None:
    file = AttemptsFile(tmp_path / "claims" / "cell.json")
    assert file.read() == Attempts()
    attempts = Attempts(count=2, without_progress=1, saved_ns=7, worker="node:5", step=3, loss=0.5)
    file.write(attempts)
    assert file.read() == attempts
    assert [path.name for path in file.path.parent.iterdir()] == ["cell.json"]
    file.drop()
    file.drop()
    assert file.read() == Attempts()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"count": "2"}', b"\xff\x00", b'{"colour": 1}'])
def test_a_broken_file_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cell.json").write_bytes(content)
    assert AttemptsFile(tmp_path / "cell.json").read() == Attempts()


def test_attempts_count_as_without_progress_until_there_is_a_new_checkpoint() -> None:
    attempts = Attempts()
    counts = []
    for saved_ns in (0, 0, 5, 5, 5, 9):
        attempts = attempts.begin(saved_ns, "node:5")
        counts.append((attempts.count, attempts.without_progress))
    assert counts == [(1, 1), (2, 2), (3, 1), (4, 2), (5, 3), (6, 1)]

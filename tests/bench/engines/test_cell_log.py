from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import pytest

from bench.engines.cell_log import cell_log


def test_a_worker_process_writes_all_it_says(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "logs" / "cell.log"
    for attempt in (1, 2):
        with cell_log(path, f"attempt {attempt}", whole=True):
            os.write(1, b"from C\n")
            os.write(2, b"from C, an error\n")
    os.write(1, b"after")
    assert capfd.readouterr().out == "after"
    assert path.read_text() == "".join(f"== attempt {n}\nfrom C\nfrom C, an error\n" for n in (1, 2))


def _plain(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))


def test_elsewhere_warnings_are_copied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stream = sys.stderr
    with cell_log(tmp_path / "cell.log", "attempt 1", whole=False), warnings.catch_warnings():
        warnings.showwarning = _plain  # pytest's own keeps warnings to itself
        warnings.simplefilter("always")
        warnings.warn("deprecated", UserWarning, stacklevel=1)
        print("a table")  # noqa: T201
    assert sys.stderr is stream
    shown = capsys.readouterr()
    assert shown.out == "a table\n"
    assert "UserWarning: deprecated" in shown.err
    assert "UserWarning: deprecated" in (tmp_path / "cell.log").read_text()
    assert "a table" not in (tmp_path / "cell.log").read_text()


def test_streams_are_given_back_after_an_exception(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), cell_log(tmp_path / "cell.log", "attempt 1", whole=True):
        raise KeyboardInterrupt
    os.write(2, b"here")
    assert capfd.readouterr().err == "here"

"""One process of a home builds an extension at a time, and a compilation that was killed stops nobody."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

import methods.scenes.kernel_build
from methods.scenes.kernel_build import building_alone


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that torch builds the extension ``it`` in."""
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    (tmp_path / "it").mkdir()
    return tmp_path / "it"


@pytest.fixture
def naps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The naps of who waits; in the third, torch's lock is released, as its process ends."""
    taken: list[float] = []

    def sleep(seconds: float) -> None:
        taken.append(seconds)
        if len(taken) == 3:
            (folder / "lock").unlink()

    monkeypatch.setattr(methods.scenes.kernel_build.time, "sleep", sleep)
    return taken


def _age(folder: Path, seconds: float) -> None:
    for path in (*folder.iterdir(), folder):
        os.utime(path, (time.time() - seconds,) * 2)


def test_a_build_is_waited_for_and_said(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods.scenes.kernel_build, "_LONG_SECONDS", 0.1)
    is_held, done = threading.Event(), []

    def build() -> None:
        with FileLock(folder.with_name(".it.sdibench.lock")):
            is_held.set()
            time.sleep(0.3)
            done.append("the other")

    other = threading.Thread(target=build)
    other.start()
    is_held.wait()
    with building_alone("it"):
        assert done == ["the other"]
    other.join()
    [line] = caplog.messages
    assert line.startswith("waiting for another process that compiles it")
    with building_alone("it"):
        pass
    assert len(caplog.messages) == 1


def test_torch_s_lock_of_a_process_of_this_suite_that_was_killed_is_removed_at_once(
    folder: Path, naps: list[float]
) -> None:
    mark = folder.with_name(".it.sdibench.building")

    def fail() -> None:
        assert mark.exists()
        raise OSError("no compiler")

    with pytest.raises(OSError, match="no compiler"), building_alone("it"):
        fail()
    assert not mark.exists()  # whoever can say that it failed was not killed
    for left in (folder / "lock", mark):
        left.touch()
    with building_alone("it"):
        assert not (folder / "lock").exists()
    assert naps == []
    assert not mark.exists()


def test_torch_s_lock_of_another_program_is_removed_where_nothing_changes_any_more(
    folder: Path, naps: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "lock").touch()
    _age(folder, 3600.0)
    with building_alone("it"):
        assert not (folder / "lock").exists()
    assert naps == []
    assert caplog.messages == [f"removed {folder / 'lock'}, which a compilation that was killed has left"]


@pytest.mark.parametrize("changed", ["lock", "main.o"])
def test_another_program_that_compiles_is_waited_for_and_said_once(
    folder: Path, naps: list[float], caplog: pytest.LogCaptureFixture, changed: str
) -> None:
    (folder / "lock").touch()
    (folder / "main.o").touch()
    _age(folder, 3600.0)
    os.utime(folder / changed)
    with building_alone("it"):
        assert not (folder / "lock").exists()
    assert len(naps) == 3
    assert caplog.messages == [
        f"waiting for another program that compiles in {folder}; if none does, remove the file lock there"
    ]


def test_a_home_that_cannot_be_written_on_leaves_it_to_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "file"))
    with building_alone("it"):
        pass

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from bench.cli import main
from bench.errors import StorageError
from bench.records.atomic import make_folder, new_file, new_folder, sweep, write_atomically
from bench.records.checkpoint import Checkpoint
from bench.scores.tables import write_frame


def test_a_folder_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def half() -> None:
        with new_folder(tmp_path / "cells" / "a") as folder:
            (folder / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert list((tmp_path / "cells").iterdir()) == []


def test_who_comes_first_stays(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a") as mine:
        (mine / "file").write_text("second")
        with new_folder(tmp_path / "a") as theirs:
            (theirs / "file").write_text("first")
    assert (tmp_path / "a" / "file").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "file", "one")
    write_atomically(tmp_path / "a" / "file", "two")

    def half() -> None:
        with new_file(tmp_path / "a" / "file") as temporary:
            temporary.write_text("thr")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert (tmp_path / "a" / "file").read_text() == "two"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


def test_content_and_names_are_synced_before_and_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    fsync, rename = os.fsync, Path.rename

    def noted(descriptor: int) -> None:
        seen.append(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path).as_posix())
        fsync(descriptor)

    def renamed(source: Path, target: Path) -> Path:
        seen.append("rename")
        return rename(source, target)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not tell which file a descriptor is of")
    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "rename", renamed)
    with new_folder(tmp_path / "cells" / "a") as folder:
        (folder / "views").mkdir()
        (folder / "views" / "x").touch()
    temporary = min(seen[1:-2], key=len)  # at once, so in any order
    assert seen[0] == "."  # cells/ is new in tmp_path
    assert set(seen[1:-2]) == {f"{temporary}/views/x", f"{temporary}/views", temporary}
    assert seen[-2:] == ["rename", "cells"]


def test_leftovers_are_swept_by_name_and_age(tmp_path: Path) -> None:
    (tmp_path / ".partial-a-1").mkdir()
    (tmp_path / ".partial-a-1" / "x").touch()
    (tmp_path / ".partial-b-1").touch()
    (tmp_path / "kept").mkdir()
    (tmp_path / ".partial-link").symlink_to(tmp_path / "kept")
    sweep(tmp_path, older_than_seconds=60)
    assert len(list(tmp_path.iterdir())) == 4
    sweep(tmp_path, ".partial-a-")
    assert not (tmp_path / ".partial-a-1").exists()
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    sweep(tmp_path / "none")


def _fill(folder: Path, _size: int) -> None:
    with new_folder(folder / "cell") as temporary:
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (600, 600, 3), np.uint8)).save(temporary / "x.png")


def _fill_scene(folder: Path, size: int) -> None:
    with new_folder(folder / "cell") as temporary:
        save_file({"x": torch.zeros(size)}, temporary / "scene.safetensors")


#: Every way in which the suite writes, with at least a mebibyte.
WRITES: dict[str, Callable[[Path, int], None]] = {
    "text": lambda folder, size: write_atomically(folder / "file", "x" * size),
    "images": _fill,
    "scene": _fill_scene,
    "checkpoint": lambda folder, size: Checkpoint(folder / "c", "a" * 64, 1.0).save({"x": torch.zeros(size)}),
    "frame": lambda folder, size: write_frame(
        pd.DataFrame({"x": np.random.default_rng(0).random(size)}), folder / "f.parquet"
    ),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_refusal_of_the_disk_is_reported_and_leaves_no_half(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "run").mkdir()
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match="No space left on device"):
        WRITES[name](tmp_path / "run", 10)
    assert list((tmp_path / "run").iterdir()) == []
    monkeypatch.setattr(os, "fsync", fsync)
    WRITES[name](tmp_path / "run", 10)
    assert len(list((tmp_path / "run").iterdir())) == 1


def _mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a small disk here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    yield from _mounted(tmp_path / "small", "size=192k")


@pytest.fixture
def read_only_disk(tmp_path: Path, finished_folder: Path) -> Iterator[Path]:
    """A finished run is on it."""
    for folder in _mounted(tmp_path / "fixed", "size=64m"):
        shutil.copytree(finished_folder, folder / "run")
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        yield folder


@pytest.mark.parametrize("name", WRITES)
def test_a_full_disk_is_reported_and_leaves_no_half(small_disk: Path, name: str) -> None:
    with pytest.raises(StorageError, match=rf"{small_disk.name}.*cannot be written .*[Nn]o space left"):
        WRITES[name](small_disk, 2**20)
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("name", WRITES)
def test_a_read_only_disk_is_reported(read_only_disk: Path, name: str) -> None:
    with pytest.raises(StorageError, match=r"cannot be written .*Read-only file system"):
        WRITES[name](read_only_disk, 10)


def test_folders_are_made_once(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_commands_on_a_read_only_disk(read_only_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(read_only_disk / "run")
    [cell, *_] = (read_only_disk / "run" / "cells").iterdir()
    reading = (
        ["plan", run],
        ["verify", run],
        ["compare", run, run],
        ["merge", run, "--out", str(tmp_path / "copy")],
        ["run", run],
        ["score", run],
    )  # of which nothing is missing here
    for command in (*reading, ["export", str(cell), "--mesh", str(tmp_path / "a.glb"), "--resolution", "8"]):
        assert main(command) == 0, command
    capsys.readouterr()
    writing = (["report", run], ["run", run, "--retry-changed", "--scorers", "sd21"])
    for command in (*writing, ["export", str(cell), "--mesh", str(read_only_disk / "a.glb"), "--resolution", "8"]):
        assert main(command) == 2, command
        error = capsys.readouterr().err
        assert "Read-only file system" in error
        assert error.count("\n") == 1


def test_a_run_on_a_full_disk_ends_in_one_line_and_goes_on_when_there_is_room(
    small_disk: Path, study_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", str(study_file), "--out", str(small_disk / "run")]
    assert main(command) == 2  # a scene is larger than the disk
    error = capsys.readouterr().err
    assert "o space left on device" in error
    assert "the same command again" in error
    assert error.count("\n") == 1
    assert list((small_disk / "run" / "cells").iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert main(command) == 0
    assert len(list((small_disk / "run").glob("cells/*/record.json"))) == 4


def test_a_disk_that_is_full_at_a_checkpoint_is_no_fault_of_the_cells(
    small_disk: Path, study_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study_file.write_text("checkpoint_seconds = 0.0\n" + study_file.read_text())
    assert main(["run", str(study_file), "--out", str(small_disk / "run")]) == 2
    assert "checkpoints/sds--blue-duck" in capsys.readouterr().err
    assert not list((small_disk / "run").glob("cells/*"))
    assert not list((small_disk / "run").glob("checkpoints/*"))

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from bench.scores.image_folder import SUMS_FILE, image_folder, image_names, is_as_made, is_whole, read_sums

NAMES = image_names(2)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, list[Path]]:
    """A folder of images, and one entry for each time that it was made."""
    times: list[Path] = []
    return _make(tmp_path / "images", times), times


def _make(target: Path, times: list[Path]) -> Path:
    def make(folder: Path) -> None:
        times.append(folder)
        for index, name in enumerate(NAMES):
            Image.new("RGB", (4, 4), (index, 0, 0)).save(folder / name)

    return image_folder(target, NAMES, make)


def test_it_is_made_once(made: tuple[Path, list[Path]]) -> None:
    folder, times = made
    assert is_whole(folder, NAMES)
    assert _make(folder, times) == folder
    assert len(times) == 1


@pytest.mark.parametrize("how", ["missing", "cut short", "another image", "the list without it"])
def test_what_is_not_as_it_was_made_is_made_again(made: tuple[Path, list[Path]], how: str) -> None:
    folder, times = made
    path, sums = folder / NAMES[1], read_sums(folder)
    before = path.read_bytes()
    match how:
        case "missing":
            path.unlink()
        case "cut short":
            path.write_bytes(before[:-1])
        case "another image":
            Image.new("RGB", (4, 4), (99, 0, 0)).save(path)
            assert sums is not None
            assert not is_as_made(path, sums)
        case _:
            (folder / SUMS_FILE).write_text("")
    assert not is_whole(folder, NAMES)
    _make(folder, times)
    assert len(times) == 2
    assert path.read_bytes() == before
    assert read_sums(folder) == sums


def test_a_folder_without_the_list_is_made_again(made: tuple[Path, list[Path]]) -> None:
    folder, times = made
    (folder / SUMS_FILE).unlink()
    assert read_sums(folder) is None
    assert not is_whole(folder, NAMES)
    _make(folder, times)
    assert len(times) == 2


def test_the_list_is_sha256sum_s(made: tuple[Path, list[Path]]) -> None:
    done = subprocess.run(["sha256sum", "--check", SUMS_FILE], cwd=made[0], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": OK") == len(NAMES)


def test_a_list_that_lacks_an_image_is_no_proof_of_it(made: tuple[Path, list[Path]]) -> None:
    folder, _ = made
    assert not is_as_made(folder / NAMES[0], {})


def test_processes_that_find_the_same_damage_make_it_again_together(made: tuple[Path, list[Path]]) -> None:
    folder, times = made
    for _ in range(5):
        (folder / NAMES[0]).write_bytes(b"")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: _make(folder, times), range(4)))
        assert is_whole(folder, NAMES)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]

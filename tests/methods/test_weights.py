from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

import methods.weights
from methods.weights import (
    WeightsError,
    combined_sha256,
    file_sha256,
    known_sha256,
    read_card,
    reverify_weights,
    verify_weights,
    weights_home,
    write_card,
)

#: SHA-256 of "abc" (FIPS 180-2, appendix B.1).
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_card_lists_every_file_except_images(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "model.bin").write_bytes(b"weights")
    (tmp_path / "sheet.png").write_bytes(b"image")
    write_card(tmp_path, name="mine", seed=3)
    card = read_card(tmp_path)
    assert (card["name"], card["seed"]) == ("mine", 3)
    # sha256sum of the eight bytes "weights", by coreutils.
    assert list(card["files"]) == ["sub/model.bin"]


def test_combined_hash_follows_every_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    write_card(tmp_path)
    before = verify_weights(tmp_path)
    (tmp_path / "a").write_text("2")
    write_card(tmp_path)
    assert verify_weights(tmp_path) != before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "a").write_text("other"), r"a: SHA-256 is d9298a10d1b0…, but card.json says"),
        (lambda folder: (folder / "a").unlink(), r"a: missing, though card.json lists it"),
        (lambda folder: (folder / "card.json").unlink(), r"has no card.json, so it is not a folder of weights"),
        (lambda folder: (folder / "card.json").write_text("{"), r"card.json: not readable as JSON"),
        (lambda folder: (folder / "card.json").write_text("{}"), r"card.json: 'files' is missing"),
    ],
)
def test_broken_folders_give_an_error_of_one_line(tmp_path: Path, damage, message) -> None:
    (tmp_path / "a").write_text("1")
    write_card(tmp_path)
    damage(tmp_path)
    with pytest.raises(WeightsError, match=message) as caught:
        verify_weights(tmp_path)
    assert "\n" not in str(caught.value)


def test_hidden_files_are_not_weights(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("abc")
    (tmp_path / ".cache" / "hub").mkdir(parents=True)
    (tmp_path / ".cache" / "hub" / "a.lock").write_text("")
    write_card(tmp_path)
    assert read_card(tmp_path)["files"] == {"a": ABC}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path / "home"))
    monkeypatch.setattr(methods.weights, "_LARGE", 3)
    return tmp_path / "home"


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read to be hashed."""
    read: list[Path] = []
    monkeypatch.setattr(methods.weights, "file_sha256", lambda path: read.append(path) or file_sha256(path))
    return read


def test_home_is_in_the_user_s_cache_unless_it_is_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights_home() == home
    monkeypatch.setenv("SDIBENCH_WEIGHTS", "~/mine")
    assert weights_home() == Path.home() / "mine"
    monkeypatch.delenv("SDIBENCH_WEIGHTS")
    assert weights_home() == Path.home() / ".cache" / "sdi-bench"


def test_a_large_file_is_read_again_only_when_it_changed(tmp_path: Path, home: Path, hashed: list[Path]) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_text("abc")
    small.write_text("ab")
    assert [known_sha256(large), known_sha256(large)] == [ABC, ABC]
    assert hashed == [large]
    for _ in range(2):
        known_sha256(small)
    assert hashed == [large, small, small]
    before = large.stat()
    large.write_text("abd")
    os.utime(large, ns=(before.st_atime_ns, before.st_mtime_ns))  # like a copy that keeps its times: only ctime differs
    assert known_sha256(large) == hashlib.sha256(b"abd").hexdigest()


@pytest.mark.parametrize("content", ["{", "[]", "null", '{"key": 3}'])
def test_a_broken_file_of_hashes_costs_time_and_nothing_else(tmp_path: Path, home: Path, content: str) -> None:
    large = tmp_path / "large"
    large.write_text("abc")
    home.mkdir()
    (home / "hashes.json").write_text(content.replace("key", str(large)))
    assert known_sha256(large) == ABC
    assert json.loads((home / "hashes.json").read_text())[str(large)]["sha256"] == ABC


def test_without_stored_hashes_everything_is_read(tmp_path: Path, home: Path, hashed: list[Path]) -> None:
    home.write_text("a file where the folder should be")
    (tmp_path / "large").write_text("abc")
    assert [known_sha256(tmp_path / "large") for _ in range(2)] == [ABC, ABC]
    assert len(hashed) == 2


def test_reverification_reads_every_byte(tmp_path: Path, home: Path, hashed: list[Path]) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "large").write_text("abc")
    write_card(folder)
    first = verify_weights(folder)
    del hashed[:]
    verify_weights.cache_clear()
    assert verify_weights(folder) == first
    assert hashed == []
    assert reverify_weights(folder) == first
    assert hashed == [folder / "large"]


def test_files_without_a_card_hash_as_those_with_one(tmp_path: Path, home: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a").write_text("abc")
    (tmp_path / "model" / "b").write_text("abd")
    write_card(tmp_path / "model")
    assert combined_sha256(tmp_path / "model", ["b", "a"]) == verify_weights(tmp_path / "model")
    with pytest.raises(WeightsError, match="c: missing"):
        combined_sha256(tmp_path / "model", ["a", "c"])


def test_the_home_of_an_unknown_user_is_a_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDIBENCH_WEIGHTS", "~no-such-user/x")
    assert weights_home() == Path("~no-such-user/x")  # and no RuntimeError

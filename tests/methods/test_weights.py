from __future__ import annotations

from pathlib import Path

import pytest

from methods.weights import WeightsError, read_card, verified_weights, write_card


def test_card_lists_every_file_but_pictures(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "model.bin").write_bytes(b"weights")
    (tmp_path / "sheet.png").write_bytes(b"picture")
    write_card(tmp_path, name="mine", seed=3)
    card = read_card(tmp_path)
    assert (card["name"], card["seed"]) == ("mine", 3)
    # sha256sum of the eight bytes "weights", by coreutils.
    assert list(card["files"]) == ["sub/model.bin"]


def test_combined_hash_follows_every_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    write_card(tmp_path)
    before = verified_weights(tmp_path)
    (tmp_path / "a").write_text("2")
    write_card(tmp_path)
    assert verified_weights(tmp_path) != before


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "a").write_text("other"), r"a: SHA-256 is d9298a10d1b0…, but card.json says"),
        (lambda folder: (folder / "a").unlink(), r"a: missing, though card.json lists it"),
        (lambda folder: (folder / "card.json").unlink(), r"no card.json there"),
        (lambda folder: (folder / "card.json").write_text("{"), r"card.json: not readable as JSON"),
        (lambda folder: (folder / "card.json").write_text("{}"), r"card.json: 'files' is missing"),
    ],
)
def test_spoilt_folders_get_one_line(tmp_path: Path, spoil, message) -> None:
    (tmp_path / "a").write_text("1")
    write_card(tmp_path)
    spoil(tmp_path)
    with pytest.raises(WeightsError, match=message) as caught:
        verified_weights(tmp_path)
    assert "\n" not in str(caught.value)

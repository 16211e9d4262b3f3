"""Pictures in batches: what fits, and each picture once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metrics.models.batches import Kept, picture_key, pictures_at_once


@pytest.mark.parametrize(
    ("free_bytes", "side", "count"),
    [
        (40e9, 224, 256),  # more would not pay
        (4e9, 224, 38),  # half of it, at 1 kB a pixel
        (4e9, 512, 7),
        (1e6, 512, 1),  # one at least: whether it fits is then for the machine to say
    ],
)
def test_a_gpus_batch_is_what_its_free_memory_holds(
    monkeypatch: pytest.MonkeyPatch, free_bytes: float, side: int, count: int
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(free_bytes * 3 / 4), int(80e9)))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: int(free_bytes))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: int(free_bytes * 3 / 4))
    assert pictures_at_once(torch.device("cuda"), side, side) == count


def test_a_cpus_batch_is_of_one_size() -> None:
    assert pictures_at_once(torch.device("cpu"), 224, 224) == 64
    assert pictures_at_once(torch.device("cpu"), 512, 512) == 12


def test_a_picture_is_computed_once_even_among_equals() -> None:
    kept: Kept[int] = Kept(3)
    asked: list[list[int]] = []

    def square(places: list[int]) -> list[int]:
        asked.append(places)
        return [keys[place] ** 2 for place in places]

    keys = [5, 2, 5, 3]
    assert kept.get(keys, square, 2) == [25, 4, 25, 9]
    assert asked == [[2, 1], [3]]
    keys = [7, 3]
    assert kept.get(keys, square, 2) == [49, 9]
    assert asked[2:] == [[0]]
    keys = [5]
    assert kept.get(keys, square, 2) == [25]  # the oldest of four was forgotten
    assert asked[3:] == [[0]]


def test_only_equal_pictures_have_equal_keys() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert picture_key(picture) == picture_key(picture.copy())
    assert len({picture_key(each) for each in (picture, picture[::-1], picture.reshape(4, 2, 3))}) == 3

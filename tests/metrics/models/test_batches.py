"""Sizes and composition of batches of images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from metrics.models.batches import compute_in_passes, images_at_once


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
    assert images_at_once(torch.device("cuda"), side, side) == count


def test_a_cpus_batch_is_of_one_size() -> None:
    assert images_at_once(torch.device("cpu"), 224, 224) == 64
    assert images_at_once(torch.device("cpu"), 512, 512) == 12


def test_passes_follow_from_the_images_alone() -> None:
    passes: list[int] = []

    def mean(some: np.ndarray) -> torch.Tensor:
        passes.append(len(some))
        return torch.from_numpy(some.mean(axis=(1, 2, 3)))

    images = np.random.default_rng(0).integers(0, 256, (30, 2, 2, 3), dtype=np.uint8)
    for _ in range(2):  # asked again, it is done again
        found = compute_in_passes(mean, images, torch.device("cpu"), 512, 512)
        np.testing.assert_array_equal(found.numpy(), images.mean(axis=(1, 2, 3)))
    assert passes == [12, 12, 6] * 2

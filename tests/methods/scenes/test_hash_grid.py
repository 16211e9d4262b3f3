"""The hash grid against a slow, direct reading of the Instant-NGP paper (arXiv 2201.05989, section 3)."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from methods.scenes.hash_grid import HashGrid

SETTINGS = {"levels": 4, "features_per_level": 2, "log2_table_size": 7, "base_resolution": 3, "finest_resolution": 12}


def direct_reading(table: np.ndarray, point: np.ndarray) -> list[float]:
    """One point, one level and one corner at a time, in unsigned 32-bit arithmetic."""
    size, features, start = 2**7, [], 0
    growth = math.exp((math.log(12) - math.log(3)) / (4 - 1))  # eq. 3
    for level in range(4):
        cells = math.floor(3 * growth**level + 1e-6)  # eq. 2
        rows = min((cells + 1) ** 3, size)
        scaled = point.astype(np.float64) * cells
        lower = np.floor(scaled).astype(int)
        total = np.zeros(2)
        for corner in itertools.product((0, 1), repeat=3):
            x, y, z = (int(i) for i in lower + corner)
            share = math.prod(1 - abs(s - c) for s, c in zip(scaled, (x, y, z), strict=True))
            if (cells + 1) ** 3 <= size:
                row = x + y * (cells + 1) + z * (cells + 1) ** 2
            else:  # eq. 4
                row = (x ^ (y * 2654435761 % 2**32) ^ (z * 805459861 % 2**32)) % size
            total += share * table[start + row]
        features += total.tolist()
        start += rows
    return features


def test_reads_as_the_paper_says() -> None:
    grid = HashGrid(**SETTINGS, initial_bound=1.0, init=torch.Generator().manual_seed(0))
    assert grid.cells == [3, 4, 7, 12]
    assert grid.direct_levels == 2  # 64 and 125 corners fit in 128 rows, 512 do not
    points = torch.rand(20, 3, generator=torch.Generator().manual_seed(1))
    table = grid.table.detach().double().numpy()
    expected = [direct_reading(table, point) for point in points.numpy()]
    np.testing.assert_allclose(grid(points).detach().numpy(), expected, atol=1e-5)


def test_the_far_faces_belong_to_the_grid() -> None:
    grid = HashGrid(**SETTINGS, initial_bound=1.0, init=torch.Generator().manual_seed(0))
    corner = torch.ones(1, 3)
    torch.testing.assert_close(grid(corner), grid(corner - 1e-6), atol=1e-4, rtol=0)
    torch.testing.assert_close(grid(corner), grid(corner + 1), atol=0, rtol=0)


@pytest.mark.parametrize("field", ["levels", "features_per_level", "base_resolution", "finest_resolution"])
def test_refuses_bad_settings(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field}: 0 is not"):
        HashGrid(**{**SETTINGS, field: 0}, init=torch.Generator())

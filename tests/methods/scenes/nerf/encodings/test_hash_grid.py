"""The hash grid against a slow, direct reading of the Instant-NGP paper (arXiv 2201.05989, section 3)."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from methods.scenes.nerf.encodings.hash_grid import HashGrid

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
    grid = HashGrid(**SETTINGS, initial_bound=1.0).build(torch.Generator().manual_seed(0))
    assert grid.cells == [3, 4, 7, 12]
    assert grid.direct_levels == 2  # 64 and 125 corners fit in 128 rows, 512 do not
    points = torch.rand(20, 3, generator=torch.Generator().manual_seed(1))
    table = grid.table.detach().double().numpy()
    expected = [direct_reading(table, point) for point in points.numpy()]
    np.testing.assert_allclose(grid(points).detach().numpy(), expected, atol=1e-5)


def test_the_far_faces_belong_to_the_grid() -> None:
    grid = HashGrid(**SETTINGS, initial_bound=1.0).build(torch.Generator().manual_seed(0))
    corner = torch.ones(1, 3)
    torch.testing.assert_close(grid(corner), grid(corner - 1e-6), atol=1e-4, rtol=0)
    torch.testing.assert_close(grid(corner), grid(corner + 1), atol=0, rtol=0)


def library_reading(table: np.ndarray, point: np.ndarray) -> list[float]:
    """One point, one level and one corner at a time, as tiny-cuda-nn's documentation and kernels count them."""
    size, features, start = 2**7, [], 0
    for level in range(4):
        scale = 2 ** (level * math.log2(4 ** (1 / 3))) * 3 - 1
        side = math.ceil(scale - 1e-9) + 1
        rows = min(math.ceil(side**3 / 8) * 8, size)
        scaled = point.astype(np.float64) * scale + 0.5
        lower = np.floor(scaled).astype(int)
        total = np.zeros(2)
        for corner in itertools.product((0, 1), repeat=3):
            x, y, z = (int(i) for i in lower + corner)
            share = math.prod(1 - abs(s - c) for s, c in zip(scaled, (x, y, z), strict=True))
            if side**3 <= rows:
                row = x + y * side + z * side**2
            else:
                row = x ^ (y * 2654435761 % 2**32) ^ (z * 805459861 % 2**32)
            total += share * table[start + row % rows]
        features += total.tolist()
        start += rows
    return features


def test_reads_in_the_layout_of_tiny_cuda_nn() -> None:
    """3, 4 (2.76 cells), 7 (6.56) and 12 corners along an edge: 32, 64, 128 and 128 rows."""
    grid = HashGrid(**SETTINGS, layout="tiny_cuda_nn", initial_bound=1.0).build(torch.Generator().manual_seed(0))
    points = torch.rand(40, 3, generator=torch.Generator().manual_seed(1))
    points[:3] = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0, 0.5]])
    table = grid.table.detach().double().numpy()
    assert len(table) == sum(min(math.ceil(side**3 / 8) * 8, 128) for side in (3, 5, 8, 12))
    expected = [library_reading(table, point) for point in points.numpy()]
    np.testing.assert_allclose(grid(points).detach().numpy(), expected, atol=1e-4)


def test_the_grid_of_sdi_yaml_has_the_rows_of_tiny_cuda_nn() -> None:
    settings = {"levels": 16, "log2_table_size": 19, "base_resolution": 16, "finest_resolution": 4096}
    grid = HashGrid(**settings, layout="tiny_cuda_nn").build(torch.Generator().manual_seed(0))
    assert grid.features == 32
    assert grid.fused_reading.settings["per_level_scale"] == pytest.approx(1.447269237440378, abs=1e-12)
    # corners of the levels below the hash, 16 to 71 along an edge, rounded up to eights; 11 levels of 2^19
    direct = [16**3, 24**3, 34**3, 49**3, 71**3]
    assert len(grid.table) == sum(-(-count // 8) * 8 for count in direct) + 11 * 2**19
    assert grid.table.abs().max() <= 1e-4


def test_the_slope_in_space_is_right() -> None:
    grid = HashGrid(**SETTINGS, initial_bound=1.0).build(torch.Generator().manual_seed(0)).double()
    points = torch.rand(5, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(grid, points, eps=1e-7, atol=1e-5)
    assert torch.autograd.gradgradcheck(grid, points, eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("field", ["levels", "features_per_level", "base_resolution", "finest_resolution"])
def test_refuses_bad_settings(field: str) -> None:
    with pytest.raises(ValueError, match=f"{field}: 0 is not"):
        HashGrid(**{**SETTINGS, field: 0}).build(torch.Generator())


def test_refuses_an_unknown_layout() -> None:
    with pytest.raises(ValueError, match="layout: 'tcnn' is not 'paper' or 'tiny_cuda_nn'"):
        HashGrid(**SETTINGS, layout="tcnn").build(torch.Generator())

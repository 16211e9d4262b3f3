"""The dense grid against scipy's interpolator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator

from methods.scenes.nerf.encodings.dense_grid import DenseGrid


def test_reads_as_scipy_interpolates() -> None:
    grid = DenseGrid(resolutions=(3, 6), features_per_level=2).build(torch.Generator().manual_seed(0))
    points = torch.rand(200, 3, generator=torch.Generator().manual_seed(1))
    expected = []
    for level in grid.levels:
        axis = np.linspace(0, 1, level.shape[-1])
        corners = level[0].permute(3, 2, 1, 0).detach().numpy()  # x, y, z, feature
        expected.append(RegularGridInterpolator((axis, axis, axis), corners)(points.numpy()))
    found = grid(points).detach().numpy()
    assert found.shape == (200, grid.features) == (200, 4)
    np.testing.assert_allclose(found, np.concatenate(expected, axis=1), atol=1e-6)


def test_outside_reads_the_nearest_face() -> None:
    grid = DenseGrid(resolutions=(4,)).build(torch.Generator().manual_seed(0))
    outside = torch.tensor([[-0.5, 0.3, 1.7]])
    torch.testing.assert_close(grid(outside), grid(outside.clamp(0, 1)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resolutions": ()}, r"resolutions: \(\) is not"),
        ({"resolutions": (16, 1)}, r"resolutions: \(16, 1\) is not"),
        ({"features_per_level": 0}, "features_per_level: 0 is not"),
        ({"initial_std": 0.0}, "initial_std: 0.0 is not"),
    ],
)
def test_refuses_bad_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DenseGrid(**settings).build(torch.Generator())

from __future__ import annotations

import pytest
import torch

from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.gaussians import Gaussians
from methods.scenes.gaussians.spacing import LEAST, MOST, neighbour_distance


def test_is_the_root_mean_square_of_the_three_nearest() -> None:
    points = torch.randn(200, 3, generator=torch.Generator().manual_seed(0)) / 10
    expected = torch.cdist(points.double(), points.double()).sort(1).values[:, 1:4].square().mean(1).sqrt()
    torch.testing.assert_close(neighbour_distance(points).double(), expected.clamp(LEAST, MOST), rtol=1e-5, atol=0)
    assert (expected < MOST).any()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_points_have_a_size_too(count: int) -> None:
    assert neighbour_distance(torch.arange(count * 3.0).view(count, 3)).tolist() == pytest.approx([MOST] * count)


def test_points_at_one_place_have_the_least_size() -> None:
    assert neighbour_distance(torch.zeros(9, 3)).tolist() == pytest.approx([LEAST] * 9)


def test_gaussians_start_with_it_if_they_are_asked_to() -> None:
    scene = Gaussians(count=50, size="neighbours").build(GaussianPrior(), torch.Generator().manual_seed(0))
    expected = neighbour_distance(scene.means)
    for axis in range(3):
        torch.testing.assert_close(scene.log_scales.detach()[:, axis].exp(), expected)
    assert expected.std() > 0.01


@pytest.mark.parametrize("size", [-1.0, 0])
def test_refuses_other_sizes(size: float) -> None:
    with pytest.raises(ValueError, match=r'size: .* is not a positive distance in world units or "neighbours"'):
        Gaussians(size=size)

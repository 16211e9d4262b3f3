"""Fixed-point iteration with a known fixed point and rate (see ``Exact``)."""

from __future__ import annotations

import pytest
import torch

from methods.inversion.fixed_point import FixedPoint


def run(infer, exact, make_streams, timesteps, iterations):
    return infer(
        FixedPoint(gamma=exact.scale, iterations=iterations),
        exact.image,
        timesteps,
        prior=exact.prior,
        prompt=exact.prompt,
        streams=make_streams(),
    )


def test_the_closed_form_solves_the_equation(exact) -> None:
    timesteps = torch.tensor([100, 700])
    kappa = exact.kappa(timesteps)
    torch.testing.assert_close(exact.predict(kappa, timesteps), kappa, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("iterations", [1, 2, 10, 40])
def test_the_distance_to_the_fixed_point_shrinks_by_the_map_s_slope_each_time(
    infer, iterations, exact, make_streams
) -> None:
    """κ_k − κ* = L^k (κ_0 − κ*), with a separate L for each view."""
    timesteps = torch.tensor([60, 300])
    first = torch.randn(exact.image.shape, generator=make_streams()["noise"]).double()
    fixed, slope = exact.kappa(timesteps), exact.slope(timesteps)
    kappa = run(infer, exact, make_streams, timesteps, iterations)
    torch.testing.assert_close(kappa - fixed, slope**iterations * (first - fixed), rtol=1e-7, atol=1e-9)
    assert exact.prior.calls == iterations


def test_it_converges_if_the_map_contracts_and_hardly_moves_otherwise(infer, exact, make_streams) -> None:
    timesteps = torch.tensor([60, 980])
    slope = exact.slope(timesteps).flatten().tolist()
    assert slope[0] < 0.42  # 0.42⁴⁰ is 1e-15
    assert slope[1] > 0.998  # 0.998⁴⁰ is 0.92: near pure noise every noise is nearly a fixed point
    kappa = run(infer, exact, make_streams, timesteps, 40)
    fixed = exact.kappa(timesteps)
    distance = (kappa - fixed).flatten(1).norm(dim=1) / fixed.flatten(1).norm(dim=1)
    assert float(distance[0]) < 1e-9
    assert float(distance[1]) > 0.9


def test_bad_iterations_are_named() -> None:
    with pytest.raises(ValueError, match="iterations: 0 is not a positive number"):
        FixedPoint(iterations=0)

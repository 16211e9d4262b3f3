from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.gaussians import Gaussians
from methods.scenes.gaussians.rates import GaussianRates, rate_at


@pytest.mark.parametrize("progress", [0.0, 0.25, 0.5, 1.0])
def test_is_exponential_from_start_to_end(progress: float) -> None:
    """3D Gaussian Splatting's ``get_expon_lr_func``: a straight line of the logarithm."""
    expected = math.exp((1 - progress) * math.log(1.6e-4) + progress * math.log(1.6e-6))
    assert rate_at((1.6e-4, 1.6e-6), progress) == pytest.approx(expected, rel=1e-12)
    assert rate_at(0.05, progress) == 0.05


def test_an_optimiser_gets_the_rates_of_its_groups_step_by_step() -> None:
    rates = GaussianRates(means=(0.01, 0.0001), scales=0.02)
    scene = Gaussians(count=5, learning_rates=rates).build(GaussianPrior(), torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam([*scene.parameter_groups(), {"params": [torch.zeros(1, requires_grad=True)], "lr": 7}])
    found = [optimiser.param_groups[0]["lr"]]
    for step in range(5):
        scene.before_step(step / 4)
        scene.after_step(step, optimiser, torch.Generator())
        found.append(optimiser.param_groups[0]["lr"])
    assert found == pytest.approx([0.01, 0.01, 0.01 * 0.1**0.5, 0.001, 0.001 * 0.1**0.5, 0.0001])
    assert [group["lr"] for group in optimiser.param_groups[1:]] == [0.02, 0.02, 0.05, 0.02, 7]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"means": 0.0}, r"means: 0.0 is not a positive number, or \[start, end\] of positive numbers"),
        ({"scales": (0.1, 0.0)}, r"scales: \(0.1, 0.0\) is not a positive number"),
        ({"colours": (-0.1, 0.1)}, r"colours: \(-0.1, 0.1\) is not a positive number"),
    ],
)
def test_refuses_what_is_not_positive(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianRates(**settings)

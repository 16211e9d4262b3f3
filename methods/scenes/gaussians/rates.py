"""Step sizes of the Gaussians' parameters over an optimisation."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch

from methods.settings import require

#: A step size for the whole optimisation, or ``(start, end)``: exponential from the one to the other.
Rate = float | tuple[float, float]


def rate_at(rate: Rate, progress: float) -> float:
    """The step size at ``progress`` in [0, 1]."""
    if isinstance(rate, (int, float)):
        return float(rate)
    start, end = rate
    return float(start * (end / start) ** progress)


@dataclass(frozen=True)
class GaussianRates:
    """Adam's step sizes by parameter, each a number or ``[start, end]``, exponential over the optimisation.

    LucidDreamer's are those of ``arguments/__init__.py`` and ``GaussianModel.training_setup`` (2ecf093), whose
    positions are moreover 3.5 times as fast as the constant says, by the radius of its evaluation cameras.

    Raises:
        ValueError: If one is not positive.
    """

    means: Rate = 0.01
    """Step size of the positions, world units (LucidDreamer: 0.00056 to 0.0000056)."""
    scales: Rate = 0.02
    """Step size of the logarithms of the standard deviations (LucidDreamer: 0.005 to 0.001)."""
    rotations: Rate = 0.02
    """Step size of the quaternions (LucidDreamer: 0.001 to 0.0002)."""
    opacities: Rate = 0.05
    """Step size of the opacities before the sigmoid (DreamGaussian, LucidDreamer: 0.05)."""
    colours: Rate = 0.02
    """Step size of the colours' spherical harmonics of degree 0 (DreamGaussian: 0.01, LucidDreamer: 0.005 to 0.003);
    a twentieth of it is that of higher degrees."""

    def __post_init__(self) -> None:
        for field in fields(self):
            rate: Rate = getattr(self, field.name)
            numbers = rate if isinstance(rate, (tuple, list)) else (rate,)
            right = min(numbers) > 0
            require(right, field.name, rate, "a positive number, or [start, end] of positive numbers")

    def at(self, group: str, progress: float) -> float:
        """The step size of a parameter group at ``progress`` in [0, 1]."""
        return rate_at(getattr(self, group), progress)

    def set_rates(self, optimiser: torch.optim.Optimizer, progress: float) -> None:
        """Give each group of an optimiser its step size at ``progress``; groups of other names keep theirs."""
        own = {field.name for field in fields(self)}
        for group in optimiser.param_groups:
            if group.get("name") in own:
                group["lr"] = self.at(group["name"], progress)

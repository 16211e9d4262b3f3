"""A learned background: colour as a smooth function of the direction."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from methods.scenes.nerf.backgrounds import backgrounds
from methods.scenes.nerf.networks import linear
from methods.scenes.settings import demand


@backgrounds.register("environment_map")
class EnvironmentMap(nn.Module):
    """Nine spherical harmonics of the ray's direction, two hidden layers without biases, and a sigmoid.

    The ``neural-environment-map-background`` of threestudio, as its ``sdi.yaml`` and ``dreamfusion-sd.yaml`` have it.

    Args:
        hidden: Width of both hidden layers (threestudio: 16).
        learning_rate: Adam's step size (``optimizer.params.background.lr``: 0.001).
        at_evaluation: ``learned`` shows the map in evaluation renders too, as threestudio does; ``given`` shows the
            evaluation's solid colour, so that scenes with and without a map are scored on the same background.
        init: Generator of the initial weights.

    Raises:
        ValueError: If a setting is out of its range.
    """

    def __init__(
        self,
        *,
        hidden: int = 16,
        learning_rate: float = 1e-3,
        at_evaluation: Literal["learned", "given"] = "learned",
        init: torch.Generator,
    ) -> None:
        super().__init__()
        demand(hidden >= 1, "hidden", hidden, "a positive width")
        demand(learning_rate > 0, "learning_rate", learning_rate, "a positive number")
        demand(at_evaluation in ("learned", "given"), "at_evaluation", at_evaluation, "'learned' or 'given'")
        self.learning_rate, self.at_evaluation = learning_rate, at_evaluation
        self.network = nn.Sequential(
            linear(9, hidden, init, bias=False),
            nn.ReLU(),
            linear(hidden, hidden, init, bias=False),
            nn.ReLU(),
            linear(hidden, 3, init, bias=False),
        )

    def forward(self, directions: Tensor, given: Tensor, *, training: bool) -> Tensor:
        """See :class:`methods.scenes.nerf.backgrounds.background.Background`."""
        if not training and self.at_evaluation == "given":
            return given[:, :, None, None]
        colours: Tensor = self.network(spherical_harmonics(directions)).sigmoid()
        return colours.permute(0, 3, 1, 2)


def spherical_harmonics(directions: Tensor) -> Tensor:
    """The nine real spherical harmonics of bands 0 to 2, ``(… 9)``, of unit vectors ``(… 3)``, orthonormal."""
    x, y, z = directions.unbind(-1)
    return torch.stack(
        [
            torch.full_like(x, 0.28209479177387814),  # √(1/π) / 2
            0.4886025119029199 * y,  # √(3/π) / 2
            0.4886025119029199 * z,
            0.4886025119029199 * x,
            1.0925484305920792 * x * y,  # √(15/π) / 2
            1.0925484305920792 * y * z,
            0.31539156525252005 * (3 * z**2 - 1),  # √(5/π) / 4
            1.0925484305920792 * x * z,
            0.5462742152960396 * (x**2 - y**2),  # √(15/π) / 4
        ],
        dim=-1,
    )

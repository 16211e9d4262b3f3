"""A learned background: colour as a smooth function of the direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from methods.scenes.nerf.backgrounds import backgrounds
from methods.scenes.nerf.backgrounds.background import Background, BackgroundModule
from methods.scenes.nerf.networks import linear
from methods.settings import require
from methods.transfer import to_device


@backgrounds.register("environment_map")
@dataclass(frozen=True)
class EnvironmentMap(Background):
    """Nine spherical harmonics of the ray's direction, two hidden layers without biases, and a sigmoid.

    The ``neural-environment-map-background`` of threestudio, as its ``sdi.yaml`` and ``dreamfusion-sd.yaml`` have it.

    Raises:
        ValueError: If a setting is out of its range.
    """

    hidden: int = 16
    """Width of both hidden layers (threestudio: 16)."""
    learning_rate: float = 1e-3
    """Adam's step size (``optimizer.params.background.lr``: 0.001)."""
    at_evaluation: Literal["learned", "given"] = "learned"
    """``learned`` shows the map in evaluation renders too, as threestudio does; ``given`` shows the evaluation's solid
    colour, so that scenes with and without a map are scored on the same background."""

    flat_share: float = 0.0
    """Share of the optimisation's renders that have one random colour behind each view instead of the map, so that a
    scene cannot hide in its background (threestudio's ``random_aug`` with ``random_aug_prob``: 0.5)."""

    def __post_init__(self) -> None:
        require(0 <= self.flat_share <= 1, "flat_share", self.flat_share, "a share in [0, 1]")
        require(self.hidden >= 1, "hidden", self.hidden, "a positive width")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "a positive number")
        right = self.at_evaluation in ("learned", "given")
        require(right, "at_evaluation", self.at_evaluation, "'learned' or 'given'")

    def build(self, generator: torch.Generator) -> EnvironmentMapModule:
        """A map with random weights."""
        return EnvironmentMapModule(self, generator)


class EnvironmentMapModule(BackgroundModule):
    """The network behind the harmonics."""

    def __init__(self, settings: EnvironmentMap, generator: torch.Generator) -> None:
        super().__init__()
        self.learning_rate, self.at_evaluation = settings.learning_rate, settings.at_evaluation
        self.flat_share = settings.flat_share
        hidden = settings.hidden
        self.network = nn.Sequential(
            linear(9, hidden, generator, bias=False),
            nn.ReLU(),
            linear(hidden, hidden, generator, bias=False),
            nn.ReLU(),
            linear(hidden, 3, generator, bias=False),
        )

    def forward(
        self, directions: Tensor, given: Tensor, generator: torch.Generator | None, *, training: bool
    ) -> Tensor:
        """Colours of the map ``(b 3 h w)``, or in an evaluation with ``at_evaluation = "given"`` the proposed ones.

        In some renders of the optimisation they are one random colour for each view.
        """
        if not training and self.at_evaluation == "given":
            return given[:, :, None, None]
        if training and generator is not None and self.flat_share > 0:
            # drawn in every render, so that the share does not shift later random draws
            flat, *colours = torch.rand(1 + given.numel(), generator=generator, device=generator.device)
            if flat < self.flat_share:
                return to_device(torch.stack(colours), given.device).view(*given.shape, 1, 1)
        shown: Tensor = self.network(spherical_harmonics(directions)).sigmoid()
        return shown.permute(0, 3, 1, 2)


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

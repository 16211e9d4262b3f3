"""The small networks behind an encoding, drawn from a named generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def linear(inputs: int, outputs: int, generator: torch.Generator, *, bias: bool = True) -> nn.Linear:
    """A linear layer with torch's default distribution, drawn from ``generator`` and not from the global generator."""
    layer: nn.Linear = nn.Linear(inputs, outputs, bias=bias, device="meta").to_empty(device=generator.device)
    bound = inputs**-0.5
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(
                2 * bound * torch.rand(parameter.shape, generator=generator, device=generator.device) - bound
            )
    return layer


class JointNetwork(nn.Sequential):
    """One hidden layer for density and colour together.

    Args:
        inputs: Width of the encoding.
        hidden: Width of the hidden layer.
        generator: Draws the initial weights.
    """

    def __init__(self, inputs: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__(linear(inputs, hidden, generator), nn.ReLU(), linear(hidden, 4, generator))

    def density(self, features: Tensor) -> Tensor:
        """The density ``(n,)`` of :meth:`forward`'s ``(n 4)``, which are density and colour before any activation."""
        return self.split(features)[0]

    def split(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Density ``(n,)`` and colour ``(n 3)`` apart."""
        raw: Tensor = self(features)
        return raw[:, 0], raw[:, 1:]


class SeparateNetworks(nn.Module):
    """One hidden layer for the density and one for the colour, without biases (threestudio's ``implicit-volume``).

    Args:
        inputs: Width of the encoding.
        hidden: Width of each hidden layer.
        generator: Draws the initial weights.
    """

    def __init__(self, inputs: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.of_density, self.of_colour = (
            nn.Sequential(
                linear(inputs, hidden, generator, bias=False), nn.ReLU(), linear(hidden, outputs, generator, bias=False)
            )
            for outputs in (1, 3)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Density and colour ``(n 4)`` before any activation."""
        return torch.cat([self.of_density(features), self.of_colour(features)], dim=1)

    def density(self, features: Tensor) -> Tensor:
        """The density alone, ``(n,)``."""
        raw: Tensor = self.of_density(features)
        return raw[:, 0]

    def split(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Density ``(n,)`` and colour ``(n 3)`` apart."""
        return self.density(features), self.of_colour(features)

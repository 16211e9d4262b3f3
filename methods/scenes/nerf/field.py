"""Density and colour of space: an encoding, one small network, and a blob to start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from methods.scenes.nerf.encodings.encoding import EncodingModule
from methods.scenes.nerf.networks import JointNetwork, SeparateNetworks
from methods.scenes.scene import FieldSample
from methods.settings import require


@dataclass(frozen=True)
class Blob:
    """The density that a scene starts with: ``scale · (1 - |x| / std)`` before the softplus.

    It is that of Magic3D (arXiv 2211.10440, supplement; ``blob_magic3d`` in threestudio), which puts something in
    front of every camera.

    Raises:
        ValueError: If a setting is out of its range.
    """

    scale: float = 10.0
    """Density before the softplus at the origin, 0 for no blob (threestudio: 10)."""
    std: float = 0.5
    """Distance from the origin at which the blob crosses zero, world units (threestudio: 0.5)."""

    def __post_init__(self) -> None:
        require(self.scale >= 0, "scale", self.scale, "zero or a positive density")
        require(self.std > 0, "std", self.std, "a positive distance in world units")


class Field(nn.Module):
    """Softplus density and sigmoid colour of points in the box [-radius, radius]^3.

    The density before its softplus is the network's plus the blob's.

    Args:
        encoding: Features of a point of the unit cube.
        radius: Half side of the box, world units.
        hidden: Width of the network's one hidden layer.
        networks: ``joint`` is one network with biases for density and colour; ``separate`` is one for each, without.
        blob: The density that it starts with.
        generator: Draws the network's initial weights.
    """

    def __init__(
        self,
        encoding: EncodingModule,
        *,
        radius: float,
        hidden: int,
        blob: Blob,
        generator: torch.Generator,
        networks: Literal["joint", "separate"] = "joint",
    ) -> None:
        super().__init__()
        self.encoding = encoding
        self.radius, self.blob = radius, blob
        build = SeparateNetworks if networks == "separate" else JointNetwork
        self.network: JointNetwork | SeparateNetworks = build(encoding.features, hidden, generator)

    def forward(self, points: Tensor) -> FieldSample:
        """Density and colour at world points ``(n 3)``."""
        raw: Tensor = self._chunked(lambda part: self.network(self._encode(part)), points)
        return FieldSample(nn.functional.softplus(raw[:, 0] + self._blob(points)), raw[:, 1:].sigmoid())

    def with_normals(self, points: Tensor) -> tuple[FieldSample, Tensor]:
        """Density, colour, and analytic normals ``(n 3)`` at world points ``(n 3)``, from one reading of the encoding.

        The encoding must be twice differentiable.
        """
        wanted = torch.is_grad_enabled()
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            raw, colour = self.network.split(self._encode(points))
            logit = raw + self._blob(points)
            (slope,) = torch.autograd.grad(logit.sum(), points, create_graph=wanted)
        if not wanted:
            logit, colour = logit.detach(), colour.detach()
        return FieldSample(nn.functional.softplus(logit), colour.sigmoid()), nn.functional.normalize(-slope, dim=-1)

    def density(self, points: Tensor) -> Tensor:
        """Density ``(n,)`` at world points ``(n 3)``."""
        return nn.functional.softplus(self.density_logit(points))

    def density_logit(self, points: Tensor) -> Tensor:
        """Density before the softplus ``(n,)``: same level sets, but its slope never vanishes."""
        return self._chunked(lambda part: self.network.density(self._encode(part)), points) + self._blob(points)

    def _encode(self, points: Tensor) -> Tensor:
        return self.encoding(points / (2 * self.radius) + 0.5)

    def _chunked(self, evaluate: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
        at_once = self.encoding.points_at_once
        if torch.is_grad_enabled() or len(points) <= at_once:
            return evaluate(points)
        return torch.cat([evaluate(part) for part in points.split(at_once)])

    def _blob(self, points: Tensor) -> Tensor:
        blob: Tensor = self.blob.scale * (1 - points.norm(dim=-1) / self.blob.std)
        return blob

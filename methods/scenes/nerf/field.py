"""Density and colour of space: an encoding, one small network, and a blob to start from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from methods.scenes.nerf.encodings.encoding import Encoding
from methods.scenes.nerf.networks import JointNetwork, SeparateNetworks
from methods.scenes.settings import demand

#: Points that are evaluated at once where no gradient is wanted; a large evaluation render then fits on the device.
_CHUNK = 2**22


class FieldSample(NamedTuple):
    """The field at n points."""

    density: Tensor  # (n,), per world unit
    rgb: Tensor  # (n 3), in [0, 1], the same from all sides


class Field(nn.Module):
    """Softplus density and sigmoid colour of points in the box [-radius, radius]^3.

    The density before its softplus is the network's plus the blob ``scale · (1 - |x| / std)`` of Magic3D
    (arXiv 2211.10440, supplement; ``blob_magic3d`` in threestudio), which puts something in front of every camera.

    Args:
        encoding: Features of a point of the unit cube.
        radius: Half side of the box, world units.
        hidden: Width of the network's one hidden layer.
        networks: ``joint`` is one network with biases for density and colour; ``separate`` is one for each, without.
        blob_scale: Density of the blob at the origin before the softplus, 0 for no blob.
        blob_std: Distance from the origin at which the blob crosses zero, world units.
        init: Generator of the network's initial weights.

    Raises:
        ValueError: If a setting is out of its range.
    """

    def __init__(
        self,
        encoding: Encoding,
        *,
        radius: float,
        hidden: int,
        blob_scale: float,
        blob_std: float,
        init: torch.Generator,
        networks: Literal["joint", "separate"] = "joint",
    ) -> None:
        super().__init__()
        demand(hidden >= 1, "hidden", hidden, "a positive width")
        demand(blob_scale >= 0, "density_blob_scale", blob_scale, "zero or a positive density")
        demand(blob_std > 0, "density_blob_std", blob_std, "a positive distance in world units")
        self.encoding = encoding
        self.radius, self.blob_scale, self.blob_std = radius, blob_scale, blob_std
        build = SeparateNetworks if networks == "separate" else JointNetwork
        self.network: JointNetwork | SeparateNetworks = build(encoding.features, hidden, init)

    def forward(self, points: Tensor) -> FieldSample:
        """Density and colour at world points ``(n 3)``."""
        raw: Tensor = self._chunked(lambda part: self.network(self._encode(part)), points)
        return FieldSample(nn.functional.softplus(raw[:, 0] + self._blob(points)), raw[:, 1:].sigmoid())

    def density(self, points: Tensor) -> Tensor:
        """Density ``(n,)`` at world points ``(n 3)``."""
        return nn.functional.softplus(self.density_logit(points))

    def density_logit(self, points: Tensor) -> Tensor:
        """Density before the softplus ``(n,)``: same level sets, but its slope never vanishes."""
        return self._chunked(lambda part: self.network.density(self._encode(part)), points) + self._blob(points)

    def _encode(self, points: Tensor) -> Tensor:
        return self.encoding(points / (2 * self.radius) + 0.5)

    def _chunked(self, evaluate: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
        if torch.is_grad_enabled() or len(points) <= _CHUNK:
            return evaluate(points)
        return torch.cat([evaluate(part) for part in points.split(_CHUNK)])

    def _blob(self, points: Tensor) -> Tensor:
        blob: Tensor = self.blob_scale * (1 - points.norm(dim=-1) / self.blob_std)
        return blob

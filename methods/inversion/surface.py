"""Noise that lies on the object's surface (CFD)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from methods.contracts import InversionStrategy, MethodState, Prior, State, Streams, View, ViewPrompt
from methods.inversion import strategies
from methods.inversion.kept_noise import KeptNoise
from methods.inversion.world_map import object_opacity, require_renewal
from methods.settings import require
from methods.weight_schedule import WeightSchedule, weight_at


@strategies.register("surface")
@dataclass(frozen=True)
class Surface(InversionStrategy):
    """κ is the noise on the part of the object's surface that a latent shows (CFD, arXiv 2501.05445).

    Texels of standard normal noise lie around the origin: their directions are equal areas of a sphere, in ``layers``
    of distances.  The surface that the view's depth describes passes through some of them, and κ of a latent is the sum
    of those it sees divided by the root of their number.  A texel belongs to one latent of a view, so that κ is
    standard normal and independent between latents whatever the object.  Two views that see the same patch of the
    surface have the same noise there, and an object that grows or shrinks along the line to the origin keeps its noise
    within a layer.  A latent that sees no texel has the noise of the background, which all views share.  A
    two-dimensional scene has no depth: all of its κ is that noise, as with ``fixed``, and as in the code's
    ``configs/cfd/2d.yaml``.  The code is runjie-yan/ConsistentFlowDistillation (ec2e289); it rasterises the latents on
    six finer maps with nvdiffrast.

    Raises:
        ValueError: If a setting is out of its range.
    """

    texels: int = 4
    """Texels along the side of a hemisphere's map for each latent along a view's side, in [1, 64]; the code has 32
    (``noise_ptc_resolution`` 2048 for 64 latents)."""
    layers: int = 4
    """Layers of distances, the last of which has no end, in [1, 64] (``peel_depth``)."""
    radius: float = 1.0
    """Distance from the origin at which the last layer would end, world units (``radius``)."""
    samples: int = 8
    """Points along a latent's side at which the surface is looked up, in [1, 64]; a texel between two of them is
    missed."""
    opacity: float = 0.1
    """Opacity from which a pixel shows a surface, in [0, 1] (``opc_thres``)."""
    renewal: WeightSchedule = (0.2, 0.01, 0.0001, 0.4)
    """γ in [0, 1] of n ← √(1 − γ)·n + √γ·N(0, I) in each step, or [from, start, end, until] in progress: the code's
    ``weight_decay`` of 0.01 to step 5000 of 25 000, and 0.0001 from step 10 000 (``configs/cfd/sd-stage1.yaml``)."""

    def __post_init__(self) -> None:
        for name in ("texels", "layers", "samples"):
            require(1 <= getattr(self, name) <= 64, name, getattr(self, name), "a whole number in [1, 64]")
        require(self.radius > 0, "radius", self.radius, "a positive distance")
        require(0 <= self.opacity <= 1, "opacity", self.opacity, "a number in [0, 1]")
        require_renewal(self.renewal)

    def start(self, prior: Prior) -> dict[str, MethodState]:
        """The texels and the noise of the background, drawn in the first step."""
        return {"surface": KeptNoise()}

    @torch.no_grad()
    def __call__(
        self,
        view: View,
        timesteps: Tensor,
        *,
        prior: Prior,
        prompt: ViewPrompt,
        streams: Streams,
        state: State,
        until: Tensor | None = None,
    ) -> Tensor:
        """κ ``(b c lh lw)`` of square latents; it does not depend on the timesteps."""
        clean = view.clean
        channels, side, _ = clean.shape[1:]
        count = self.layers * 2 * (self.texels * side) ** 2
        kept = cast("KeptNoise", state["surface"])
        noise = kept.step(
            {"texels": (count, channels), "background": (channels, side, side)},
            weight_at(self.renewal, view.progress),
            device=clean.device,
            generator=streams["noise"],
        )
        points, is_surface = self._points(view, side * self.samples)
        texel = self._texel(points, self.texels * side).flatten(1)
        is_owner = _first_of_each(texel, is_surface.flatten(1), count)
        grid = (len(clean), side, self.samples, side, self.samples)
        total = (noise["texels"][texel] * is_owner[..., None]).reshape(*grid, channels).sum((2, 4))
        number = is_owner.reshape(grid).sum((2, 4))[:, None]
        kappa = total.movedim(-1, 1) / number.clamp_min(1).sqrt()
        return torch.where(number > 0, kappa, noise["background"]).to(clean.dtype)

    def _points(self, view: View, resolution: int) -> tuple[Tensor, Tensor]:
        """Points ``(b r r 3)`` of the surface, world units, and ``(b r r)``, where they are on one.

        The depth between two pixels is that of those of them that show a surface.
        """
        depth = view.rendering.depth
        is_seen = object_opacity(view) > self.opacity
        both = torch.cat([is_seen.to(depth.dtype), torch.where(is_seen, depth, 0.0)], dim=1)
        share, distance = torch.nn.functional.interpolate(both, (resolution, resolution), mode="bilinear").unbind(1)
        rays = view.cameras.to(depth.device).rays(resolution)
        points = rays.origins + (distance / share.clamp_min(0.5))[..., None] * rays.directions
        return points, share >= 0.5

    def _texel(self, points: Tensor, side: int) -> Tensor:
        """The number ``(…)`` of the texel at ``points`` ``(… 3)``, from maps of ``side`` texels a side."""
        distance = points.norm(dim=-1)
        layer = (distance * (self.layers / self.radius)).long().clamp(0, self.layers - 1)
        return layer * 2 * side**2 + sphere_texel(points / distance[..., None].clamp_min(1e-12), side)


def sphere_texel(directions: Tensor, side: int) -> Tensor:
    """The texel ``(…)`` in 0 … 2·side² − 1 that a unit vector ``(… 3)`` is in; all of them have the same area.

    Each hemisphere is a disc of equal areas, r² = 1 − |z|, and the disc a square of equal areas: circles about its
    centre become squares (``sph2sqr`` in the code of CFD).
    """
    x, y, z = directions.unbind(-1)
    r = (1 - z.abs()).clamp_min(0).sqrt()
    across = x.abs() >= y.abs()
    turn = torch.where(across, torch.atan2(y, x.abs()), torch.atan2(x, y.abs())) * (4 / math.pi) * r
    u = torch.where(across, r * x.sign(), turn)
    v = torch.where(across, turn, r * y.sign())
    i, j = (((0.5 + 0.5 * at) * side).long().clamp(0, side - 1) for at in (u, v))
    return ((z < 0).long() * side + i) * side + j


def _first_of_each(texel: Tensor, is_surface: Tensor, count: int) -> Tensor:
    """Mark ``(b n)`` the first point of a view that is in a texel, so that no two of them have the same one.

    Args:
        texel: Numbers ``(b n)`` in [0, ``count``).
        is_surface: Which of the ``n`` points of a view count, ``(b n)``.
        count: Number of texels.
    """
    number = texel.shape[1]
    order = torch.where(is_surface, torch.arange(number, device=texel.device), number)
    first = torch.full((len(texel), count), number, device=texel.device)
    first = first.scatter_reduce(1, texel, order, "amin")
    return is_surface & (first.gather(1, texel) == order)

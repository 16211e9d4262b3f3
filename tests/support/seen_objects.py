"""Objects whose depth is known in closed form, as views of them, for noise that depends on what a view shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from methods.camera_range import CameraRange
from methods.cameras import Cameras, sample_cameras
from methods.contracts import InversionStrategy, Rendering, State, View
from methods.priors.closed_form.gaussian import GaussianPrior

#: Centre and radius.
Ball = tuple[tuple[float, float, float], float]
BALLS: tuple[Ball, ...] = (((0.1, 0.0, 0.0), 0.5), ((0.3, 0.45, 0.2), 0.25), ((-0.5, -0.3, -0.3), 0.3))


def balls(cameras: Cameras, resolution: int, shapes: Sequence[Ball] = BALLS) -> Rendering:
    """The nearest surface of some balls; nothing elsewhere."""
    rays = cameras.rays(resolution)
    nearest = torch.full(rays.directions.shape[:-1], torch.inf)
    for centre, radius in shapes:
        origins = rays.origins - torch.tensor(centre)
        along = (origins * rays.directions).sum(-1)
        root = along.square() - origins.square().sum(-1) + radius**2
        nearest = torch.where(root > 0, torch.minimum(nearest, -along - root.clamp_min(0).sqrt()), nearest)
    is_hit = nearest.isfinite()
    return Rendering(None, is_hit.float()[:, None], torch.where(is_hit, nearest, 0.0)[:, None])


def wall(cameras: Cameras, resolution: int, at: float = 0.4) -> Rendering:
    """The plane x = ``at``, for cameras on its front side."""
    rays = cameras.rays(resolution)
    depth = ((at - rays.origins[..., 0]) / rays.directions[..., 0])[:, None]
    return Rendering(None, torch.ones_like(depth), depth)


def nothing(cameras: Cameras, resolution: int, opacity: float = 1.0) -> Rendering:
    """A two-dimensional scene: opaque everywhere, without a depth."""
    blank = torch.zeros(len(cameras), 1, resolution, resolution)
    return Rendering(None, blank + opacity, blank)


def random_cameras(count: int, seed: int = 0) -> Cameras:
    """Cameras all around, also from below, some turned and moved."""
    bounds = CameraRange(
        elevation_deg=(-60, 80), distance=(2, 3), fovy_deg=(30, 50), position_jitter=0.1, up_jitter=0.1
    )
    return sample_cameras(bounds, count, torch.Generator().manual_seed(seed))


def moved(parts: Sequence[float], latents: int, *, distance: float = 3.0, at: float = 0.4) -> Cameras:
    """Cameras in front of the wall, moved to the right by parts of a latent of the wall's image."""
    pitch = 2 * (distance - at) * torch.tensor(20.0).deg2rad().tan() / latents
    along = torch.tensor([[0.0, part, 0.0] for part in parts]) * pitch
    zero = torch.zeros(len(parts))
    return Cameras(zero, zero, zero + distance, zero + 40, along, along, torch.tensor([0.0, 0.0, 1.0]).expand_as(along))


def kappa(
    strategy: InversionStrategy,
    rendering: Rendering,
    cameras: Cameras,
    *,
    side: int,
    channels: int = 4,
    state: State | None = None,
    generator: torch.Generator | None = None,
    progress: float = 0.0,
) -> Tensor:
    """κ ``(b channels side side)`` of a rendering, from a new state and seed 0 unless they are given."""
    prior: Any = GaussianPrior()
    latents = torch.zeros(len(cameras), channels, side, side)
    return strategy(
        View(rendering._replace(latents=latents), cameras, prior, progress),
        torch.full((len(cameras),), 500),
        prior=prior,
        prompt=None,  # type: ignore[arg-type]
        streams={"noise": generator or torch.Generator().manual_seed(0)},
        state=strategy.start(prior) if state is None else state,
    )

"""A window of one large noise that moves with the camera's angles (FSD)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from methods.cameras import Cameras
from methods.contracts import InversionStrategy, MethodState, Prior, State, Streams, View, ViewPrompt
from methods.inversion import strategies
from methods.inversion.kept_noise import KeptNoise
from methods.settings import require
from methods.transfer import to_device
from methods.weight_schedule import WeightSchedule, require_schedule, weight_at


@strategies.register("world_map")
@dataclass(frozen=True)
class WorldMap(InversionStrategy):
    """κ is a window of one noise over all azimuths and elevations, moved by the camera's angles (arXiv 2405.10988).

    A world map of noise is drawn once for a run.  κ of a view is cut from it at the camera's azimuth and elevation, so
    that two cameras a few degrees apart have mostly the same noise, moved by whole latents.  Where the object covers
    less than ``opacity`` of a latent, κ is a second noise that all views share.  A two-dimensional scene has no depth
    and no sides: all of its κ is that noise, as with ``fixed``.  The map and the renewal are those of
    ``threestudio/models/noise_generator.py`` of runjie-yan/ConsistentFlowDistillation (ec2e289), except that the code's
    window jumps by the map's height at an elevation of 0.

    Raises:
        ValueError: If a setting is out of its range.
    """

    span_deg: float = 180.0
    """Change of azimuth or elevation that moves the window by its own side, degrees in (0, 360] (``noise_theta``)."""
    opacity: float = 0.5
    """Share of a latent that the object covers, in (0, 1], from which κ is the map's (the code's constant)."""
    renewal: WeightSchedule = 0.0
    """γ in [0, 1] of n ← √(1 − γ)·n + √γ·N(0, I) in each step, or [from, start, end, until] in progress
    (``weight_decay``, 0 by default)."""

    def __post_init__(self) -> None:
        require(0 < self.span_deg <= 360, "span_deg", self.span_deg, "a number of degrees in (0, 360]")
        require(0 < self.opacity <= 1, "opacity", self.opacity, "a number in (0, 1]")
        require_renewal(self.renewal)

    def start(self, prior: Prior) -> dict[str, MethodState]:
        """The map and the noise of the background, drawn in the first step."""
        return {"world_map": KeptNoise()}

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
        """κ ``(b c lh lw)``; it does not depend on the timesteps."""
        clean = view.clean
        channels, height, width = clean.shape[1:]
        rows, columns = int(180 / self.span_deg * height), int(360 / self.span_deg * width)
        kept = cast("KeptNoise", state["world_map"])
        noise = kept.step(
            {"map": (channels, rows + height, columns), "background": (channels, height, width)},
            weight_at(self.renewal, view.progress),
            device=clean.device,
            generator=streams["noise"],
        )
        i, j = (to_device(index, clean.device) for index in _window(view.cameras, rows, columns, height, width))
        window = noise["map"][:, i[:, :, None], j[:, None, :]].movedim(1, 0)
        covered = torch.nn.functional.adaptive_avg_pool2d(object_opacity(view), (height, width))
        return torch.where(covered >= self.opacity, window, noise["background"]).to(clean.dtype)


def _window(cameras: Cameras, rows: int, columns: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Indices ``(b height)`` and ``(b width)`` of the map's rows and columns that each camera sees.

    Row 0 is seen from an elevation of 90°; the columns close at 360°.
    """
    down = ((90 - cameras.elevation_deg).clamp(0, 180) * (rows / 180)).floor().long()
    right = (cameras.azimuth_deg * (columns / 360)).floor().long()
    device = down.device
    i = down[:, None] + torch.arange(height, device=device)
    j = (right[:, None] + torch.arange(width, device=device)) % columns
    return i, j


def object_opacity(view: View) -> Tensor:
    """The opacity ``(b 1 h w)`` of what has a depth: 0 everywhere in a two-dimensional scene."""
    rendering = view.rendering
    return torch.where(rendering.depth > 0, rendering.opacity, 0.0)


def require_renewal(renewal: WeightSchedule) -> None:
    """Refuse a renewal that is not a schedule of numbers in [0, 1].

    Raises:
        ValueError: If it is not one.
    """
    require_schedule("renewal", renewal)
    values = (renewal,) if isinstance(renewal, (int, float)) else renewal[1:3]
    require(max(values) <= 1, "renewal", renewal, "a share of the noise in [0, 1]")

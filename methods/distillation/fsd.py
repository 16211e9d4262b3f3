"""FSD: Flow Score Distillation."""

from __future__ import annotations

from dataclasses import dataclass

from methods.contracts import InversionStrategy, TimestepSchedule
from methods.diffusion.schedules.linear import Linear
from methods.distillation import methods
from methods.distillation.sdi import SDI
from methods.inversion.world_map import WorldMap


@methods.register("fsd")
@dataclass(frozen=True)
class FSD(SDI):
    """∇ = σ(t)·(ε̂ − κ) = x − x̂0, with κ from a map of noise by the camera's angles (arXiv 2405.10988).

    It is SDI's update, σ(t) = √((1−ᾱ_t)/ᾱ_t), with another κ and a t that falls over the whole range.
    """

    gamma_fwd: float = 7.5
    """Guidance scale s of the prediction; SDI's, since the paper's was not seen."""
    inversion: InversionStrategy = WorldMap()
    """Source of κ: the world map of the code of the same author's CFD."""
    schedule: TimestepSchedule = Linear(0.02, 0.98)
    """t falls linearly; the bounds are those of CFD's code."""
    tau: float = 0.0
    """Largest τ, as a fraction of T: κ depends on no timestep."""

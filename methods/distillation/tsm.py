"""TSM: Trajectory Score Matching (Dreamer XL)."""

from __future__ import annotations

from dataclasses import dataclass

from methods.distillation import methods
from methods.distillation.ism import ISM


@methods.register("tsm")
@dataclass(frozen=True)
class TSM(ISM):
    """ISM whose subtracted noise is that of a later point x_μ on a second branch from x_s (arXiv 2405.11252).

    ∇ = λ·σ(t)·(ε̂_y(x_t) − ε_∅(x_μ)), μ = s + (t − s)·√(1 − γ²), and both x_t and x_μ are one step from x_s.
    """

    trajectory_gamma: float = 0.3
    """γ (``gamma`` of the released code's ``arguments``)."""
    interval: float = 0.08
    """t − s after the warm-up, as a fraction of T (``delta_t`` of the released configurations)."""

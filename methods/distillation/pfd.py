"""PFD: Probability-Flow Distillation."""

from __future__ import annotations

from dataclasses import dataclass

from methods.distillation import methods
from methods.distillation.sdi import SDI


@methods.register("pfd")
@dataclass(frozen=True)
class PFD(SDI):
    """SDI whose clean image is the end of the deterministic path from x_t, ∇ = x − Φ(x_t), not the posterior mean x̂0.

    Φ is the multi-step DDIM solution of the probability-flow ODE (arXiv 2605.09071).  x_t, κ and t are as in ``sdi``.
    """

    denoise_steps: int = 10
    """Steps of a whole path from T, of which a view at t takes about n·t/T; the paper's number was not seen, and this
    is SDI's ``inversion_steps``."""

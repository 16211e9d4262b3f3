"""RFDS-Rev: RFDS with a noise that the flow itself predicts."""

from __future__ import annotations

from dataclasses import dataclass

from methods.contracts import InversionStrategy
from methods.distillation import methods
from methods.distillation.rfds import RFDS
from methods.inversion.fixed_point import FixedPoint


@methods.register("rfds-rev")
@dataclass(frozen=True)
class RFDSRev(RFDS):
    """RFDS at κ = ε + (1 − s)·(v_y(z_s) + x − ε) in place of ε (arXiv 2406.03293).

    That κ is ε_y(x_t), the noise predicted under the prompt without guidance: one iteration of ``fixed_point``.
    """

    inversion: InversionStrategy = FixedPoint(gamma=1.0, iterations=1)
    """Source of κ: one evaluation under the prompt, without guidance (``compute_grad_rfds_rev``)."""

"""ESD: Entropic Score Distillation."""

from __future__ import annotations

from dataclasses import dataclass

from methods.distillation import methods
from methods.distillation.vsd import VSD


@methods.register("esd")
@dataclass(frozen=True)
class ESD(VSD):
    """VSD whose LoRA branch is guided by the camera, ∇ = w(t)·(ε_pre − s_φ ε_φ(camera) − (1 − s_φ) ε_φ(no camera)).

    The share of the camera-free branch weighs the entropy of the renders over all cameras, which keeps the views
    from falling into one mode (arXiv 2401.00909).  Both branches have the prompt, as the paper writes; threestudio's
    code takes the empty prompt where it leaves the camera out.
    """

    lora_guidance_scale: float = 0.5
    """s_φ (``system.guidance.guidance_scale_lora=0.5`` in the released code's README)."""

"""ASD: Adversarial Score Distillation, VSD whose LoRA is also pushed away from the prior."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.contracts import Prior, ViewPrompt
from methods.diffusion.adaptation import SecondTarget
from methods.diffusion.guidance import add_noise, direction, levels, predict_rows, queries
from methods.distillation import methods
from methods.distillation.vsd import VSD
from methods.settings import require


@methods.register("asd")
@dataclass(frozen=True)
class ASD(VSD):
    """VSD's update, whose LoRA is the optimised discriminator of a GAN: its loss is |ε_φ − ε|² + γ·|ε_φ − ε_y|².

    (arXiv 2312.00739.)  With γ < 0 the LoRA is drawn to the renders and pushed away from the prior's own prediction, so
    that its optimum is (E[ε | x_t] + γ ε_y)/(1 + γ).  Constants and terms are those of
    ``stable_diffusion_asd_guidance.py`` and ``configs/test_nerf.yaml`` of 2y7c3/ASD@9bf3daa.  It is not AsyncSD, which
    ScaleDreamer also calls ASD (``asyncsd``).

    Raises:
        ValueError: If ``gamma`` is below −1, where the loss has no minimum.
    """

    gamma: float = -0.75
    """γ, the weight of the distance to the prior's prediction under the prompt (``gamma``; 0 is VSD)."""
    by_noise_level: bool = False
    """Whether w(t) is σ_t/α_t in place of 1 − ᾱ_t (``weighting_strategy: asd``, the code's for Gaussians)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.gamma >= -1.0, "gamma", self.gamma, "at least -1, below which the loss of the LoRA has no minimum")

    def _weight(self, prior: Prior, timesteps: Tensor) -> Tensor:
        alpha, sigma = levels(prior, timesteps)
        return sigma / alpha if self.by_noise_level else sigma.square()

    @torch.no_grad()
    def _second_target(
        self, clean: Tensor, noise: Tensor, timesteps: Tensor, prior: Prior, prompt: ViewPrompt
    ) -> SecondTarget:
        """ε_y, the prompt's own prediction with its view words; with Perp-Neg, ε_y + Σ w_i (ε_i)⊥ε_y as in the code."""
        noisy = add_noise(prior, clean, noise, timesteps)
        conditional, *others = predict_rows(prior, *queries(noisy, timesteps, prompt, prompt.positive))
        return SecondTarget(direction(prompt, conditional, torch.zeros_like(conditional), others), self.gamma)

"""A rectified flow whose velocity is known in closed form: images drawn from a Gaussian around a colour."""

from __future__ import annotations

from torch import Tensor

from methods.conditioning import Conditioning
from methods.diffusion.noise_levels import flow_levels, flow_point
from methods.priors.closed_form.gaussian import GaussianPrior


class GaussianFlow(GaussianPrior):
    """The images of :class:`GaussianPrior`, as a rectified flow has them.

    At z_s = (1 − s)·x + s·ε with x ~ N(m, d²) the velocity is E[ε − x | z_s] = (s − (1 − s)·d²)·(z_s − (1 − s)·m)/v − m
    with v = (1 − s)²·d² + s².
    """

    weights_sha256 = "gaussian-flow"  # a cell's identity has this of its prior

    def __init__(self, *, deviation: float = 0.3, clip_target: float | None = 1.0) -> None:
        super().__init__(deviation=deviation, clip_target=clip_target)
        self.alphas_cumprod = flow_levels().float()

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The noise that the exact velocity stands for."""
        self.calls += 1
        self.rows += len(latents)
        point = flow_point(latents, self.alphas_cumprod[timesteps][:, None, None, None].to(latents))
        s, mean = point.time, conditioning.sequence[:, 0, :, None, None].to(latents)
        variance = (1 - s).square() * self.deviation**2 + s.square()
        away = (point.latents - (1 - s) * mean) / variance
        return point.noise((s - (1 - s) * self.deviation**2) * away - mean)

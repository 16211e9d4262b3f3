"""ISM: Interval Score Matching (LucidDreamer)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.contracts import Distillation, Method, Prior, State, Streams, TimestepSchedule, View, ViewPrompt
from methods.diffusion.guidance import bound_prediction, guided_prediction, levels
from methods.diffusion.sampling import Walked
from methods.diffusion.schedules.warm_up import WarmUp, warm_up_left
from methods.distillation import methods, update_loss
from methods.inversion.ddim import ddim_inversion
from methods.settings import require


@methods.register("ism")
@dataclass(frozen=True)
class ISM(Method):
    """∇ = λ·σ(t)·(ε̂_y(x_t) − ε_∅(x_s)), with x_s and x_t from unconditional DDIM inversion.

    Eq. 17 and algorithm 1 of arXiv 2311.11284: x_s is reached in strides of ``inversion_interval``, one step
    of ``interval`` leads from it to x_t, and the interval and the largest t fall over the warm-up.
    σ(t) = √((1−ᾱ_t)/ᾱ_t) and λ are those of the released code.

    Raises:
        ValueError: If ``trajectory_gamma`` is not within 0 and 1.
    """

    guidance_scale: float = 7.5
    """s of the prediction at x_t, against the negative prompt (arXiv 2311.11284, appendix)."""
    schedule: TimestepSchedule = WarmUp(0.02, 0.5, 0.98, 0.3)
    """Distribution of t, whose largest value falls over the first 1500 of 5000 steps."""
    interval: float = 0.05
    """δ_T = t − s after the warm-up, as a fraction of T."""
    first_interval: float = 0.1
    """δ_T at the start, as a fraction of T."""
    interval_warm_up: float = 0.3
    """Share of the optimisation over which δ_T falls (1500 of 5000 steps)."""
    inversion_interval: float = 0.2
    """δ_S, the stride of the inversion up to x_s, as a fraction of T."""
    weight: float = 0.1
    """λ of the released code (``lambda_guidance``)."""
    gamma_inv: float = 0.0
    """Guidance scale of the inversion under the prompt; 0 is ISM's unconditional one (figure 14 of
    arXiv 2405.15891)."""
    full_noise: bool = False
    """If true, all of the noise in x_t is subtracted, as SDI does, instead of ε̂(x_s) (figure 14, as above)."""
    negative_prompt: str = "unrealistic, blurry, low quality, out of focus, ugly, low contrast, dull, dark"
    """The base of the guidance at x_t."""
    trajectory_gamma: float = 1.0
    """γ of trajectory score matching: ε̂ is subtracted at x_μ, μ = s + (t − s)·√(1 − γ²), reached in one step from x_s;
    1 is ISM, whose μ is s (arXiv 2405.11252)."""

    later_fields: ClassVar = ("trajectory_gamma",)

    def __post_init__(self) -> None:
        require(0.0 <= self.trajectory_gamma <= 1.0, "trajectory_gamma", self.trajectory_gamma, "within 0 and 1")

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; they share one t, as the inversion's strides do."""
        clean = view.clean
        path = self._path(prior, progress, streams["timestep"])[:, None].expand(-1, len(clean))
        t = path[-1]
        inverted = ddim_inversion(prior, clean, path, prompt, self.gamma_inv)
        noisy = inverted.noisy
        guided = guided_prediction(prior, noisy, t, prompt, self.guidance_scale, against="negative")
        alpha, sigma = levels(prior, t)
        kappa = (noisy - alpha * clean) / sigma
        if self.full_noise:
            subtracted = kappa
        else:
            subtracted = noise_before(prior, inverted, path, prompt, self.gamma_inv, self.trajectory_gamma)
        loss = update_loss(view.latents, self.weight * sigma / alpha * (guided.noise - subtracted))
        return Distillation(loss, guided.target, t, kappa, guided.noise)

    def _path(self, prior: Prior, progress: float, generator: torch.Generator) -> torch.Tensor:
        """Timesteps 0, δ_S, 2δ_S, …, s, t of this step's inversion."""
        steps = len(prior.alphas_cumprod)
        interval = self.interval + warm_up_left(progress, self.interval_warm_up) * (self.first_interval - self.interval)
        t = max(int(self.schedule(prior, progress, 1, generator)), 1)
        s = max(t - round(steps * interval), 0)
        stride = max(1, round(steps * self.inversion_interval))
        return torch.tensor([*range(0, s, stride), s, t])


def noise_before(
    prior: Prior, inverted: Walked, path: Tensor, prompt: ViewPrompt, scale: float, gamma: float
) -> Tensor:
    """The noise ``(b c lh lw)`` that ISM subtracts, that of x_s, or TSM's of x_μ on a second branch from x_s.

    Args:
        prior: The diffusion prior.
        inverted: The end of the inversion along ``path``.
        path: Its timesteps ``(k b)``, the last of which are s and t.
        prompt: The conditioning.
        scale: Guidance scale of the inversion.
        gamma: γ in μ = s + (t − s)·√(1 − γ²).
    """
    s, t = path[-2], path[-1]
    if gamma == 1.0:
        return bound_prediction(prior, inverted.before, s, inverted.noise).noise
    middle = s + ((t - s) * (1.0 - gamma**2) ** 0.5).round().long()
    (alpha_s, sigma_s), (alpha, sigma) = levels(prior, s), levels(prior, middle)
    clean = (inverted.before - sigma_s * inverted.noise) / alpha_s
    at_middle = alpha * clean + sigma * inverted.noise
    return guided_prediction(prior, at_middle, middle, prompt._replace(rescale=0.0), scale).noise

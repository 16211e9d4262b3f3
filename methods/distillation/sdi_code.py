"""SDI as its authors released it in threestudio, which differs from the paper."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Self

import torch
from torch import Tensor

from methods.contracts import Distillation, Method, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.guidance import bound_prediction, guided_noise, guided_prediction, levels
from methods.diffusion.schedules import require_range
from methods.distillation import methods
from methods.inversion.random import draw_noise
from methods.settings import require
from methods.transfer import to_device


@methods.register("sdi-code")
@dataclass(frozen=True)
class SDICode(Method):
    """SDI (arXiv 2405.15891) by the code of threestudio@28d9d80, ``stable_diffusion_sdi_guidance.py``.

    Where it differs from ``sdi``: t ends at 0.25; the inversion runs over a fixed grid, whose
    first prediction is made at a negative timestep; noise is added at each of its steps, 0.3·√V with DDIM's variance V;
    its result at t + δ goes to the network as x_t, without new noise; and the loss is a mean,
    ½·mean((x − x̂0)²) / b over all elements, so its gradient is b·c·lh·lw times smaller than that of the other
    methods (whose losses are sums) and weighs that much less against the scene's penalties.

    Guidance is in this project's convention, ε_∅ + s·(ε_y − ε_∅).  It is the code's own with Perp-Neg on, as
    ``configs/sdi.yaml`` has it; its path without Perp-Neg guides from the text's prediction, so that its ±7.5 is 8.5
    and −6.5 here.  The code runs with one view only; each view of a batch gets its own δ, as if it ran alone.

    Raises:
        ValueError: If ``timesteps`` is not an increasing pair of fractions, ``inversion_steps`` is not positive or
            ``eta`` is negative.
    """

    gamma_fwd: float = 7.5
    """Guidance scale γ_fwd of the prediction; ``guidance_scale`` (``configs/sdi.yaml``)."""
    gamma_inv: float = -7.5
    """Guidance scale γ_inv of the inversion; ``inversion_guidance_scale`` (``configs/sdi.yaml``)."""
    inversion_steps: int = 10
    """Timesteps of the whole grid, n; δ is below T / n; ``inversion_n_steps`` (``configs/sdi.yaml``)."""
    eta: float = 0.3
    """Noise added at each step of the inversion, in units of √V; ``inversion_eta`` (``configs/sdi.yaml``)."""
    timesteps: tuple[float, float] = (0.25, 0.98)
    """t falls linearly from the second to the first, as fractions of T; ``min_step_percent`` and
    ``max_step_percent`` with ``t_anneal`` (``configs/sdi.yaml``)."""

    guidance_fields: ClassVar = ("gamma_fwd",)

    def __post_init__(self) -> None:
        require_range("timesteps", *self.timesteps)
        require(self.inversion_steps >= 1, "inversion_steps", self.inversion_steps, "a positive number of steps")
        require(self.eta >= 0, "eta", self.eta, "zero or a positive standard deviation")

    def calibrated(self, prior: Prior) -> Self:
        """A copy with the prior's guidance scale, and its negative in the inversion."""
        return replace(super().calibrated(prior), gamma_inv=-prior.guidance_scale)

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; t is the same for all, δ is drawn for each."""
        clean = view.clean
        fraction = (self.timesteps[1] - self.timesteps[0]) * (1 - progress) + self.timesteps[0]
        steps = len(prior.alphas_cumprod)
        t = min(int(steps * fraction), steps - 1)  # rounded as the code does
        timesteps = torch.full((len(clean),), t)
        noisy = self._invert(clean, self._path(prior, t, len(clean), streams["timestep"]), prior, prompt, streams)
        guided = guided_prediction(prior, noisy, timesteps, prompt, self.gamma_fwd)
        alpha, sigma = levels(prior, timesteps)
        kappa = (noisy - alpha * clean) / sigma
        loss = 0.5 * torch.nn.functional.mse_loss(view.latents, guided.target.detach()) / len(clean)
        return Distillation(loss, guided.target, timesteps, kappa, guided.noise)

    def _path(self, prior: Prior, t: int, count: int, generator: torch.Generator) -> Tensor:
        """Timesteps ``(k count)`` of the inversion: one stride below the grid, the grid {1, 101, …} < t, t + δ."""
        steps = len(prior.alphas_cumprod)
        stride = steps // self.inversion_steps
        grid = range(1, 1 + self.inversion_steps * stride, stride)  # the scheduler's steps_offset is 1
        common = torch.tensor([1 - stride, *(now for now in grid if now < t)])
        delta = torch.rand(count, generator=generator, device=generator.device) * steps // self.inversion_steps
        last = (t + delta.long().cpu()).clamp_max(steps - 1)
        return torch.cat([common[:, None].expand(-1, count), last[None]])

    @torch.no_grad()
    def _invert(self, clean: Tensor, path: Tensor, prior: Prior, prompt: ViewPrompt, streams: Streams) -> Tensor:
        """The latents ``(b c lh lw)`` at the end of ``path``, its timesteps below 0 being as noisy as 0."""
        noisy, prompt = clean, prompt._replace(rescale=0.0)
        for now, then in pairwise(to_device(path, clean.device)):
            noise = guided_noise(prior, noisy, now, prompt, self.gamma_inv)
            prediction = bound_prediction(prior, noisy, now.clamp_min(0), noise, inverting=True)
            alpha_now, sigma_now = levels(prior, now.clamp_min(0))
            alpha, sigma = levels(prior, then)
            deviation = sigma_now / sigma * (1 - (alpha / alpha_now).square()).sqrt()  # √V
            fresh = draw_noise(clean, streams["noise"])
            noisy = alpha * prediction.target + sigma * prediction.noise + self.eta * deviation * fresh
        return noisy

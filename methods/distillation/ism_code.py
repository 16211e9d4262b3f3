"""ISM as its authors released it in LucidDreamer, which differs slightly from the paper."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.contracts import Distillation, Method, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.guidance import add_noise, guided_prediction, levels
from methods.diffusion.schedules import require_range, timestep_index
from methods.distillation import methods, update_loss
from methods.distillation.ism import noise_before
from methods.inversion.ddim import ddim_inversion
from methods.settings import require
from methods.transfer import to_device


@methods.register("ism-code")
@dataclass(frozen=True)
class ISMCode(Method):
    """ISM (arXiv 2311.11284) by the code of LucidDreamer@2ecf093, ``guidance/sd_utils.py``, ``train_step``.

    Where it differs from ``ism``: the inversion begins at t = 1 with *random* noise added to the image, with
    an offset for each channel (N(0, 0.1²), shared by the batch); every timestep is one later than its
    index; the upper end of t's range is excluded; and the update is not divided by the batch, so a batch of b views
    weighs b times as much against the scene's penalties as with other methods.  The constants are those of
    ``configs/hamburger.yaml``, which has Perp-Neg off; with it on, intervals are rounded up (``train_step_perpneg``).

    Left out are the parts of the Gaussian-splatting code base that do not belong to the guidance: flipped renders,
    depth instead of colour in a fifth of the steps, total-variation and scale losses, prompts mixed between views, and
    zeros instead of NaNs (which here end the cell as ``nan``).

    Raises:
        ValueError: If ``timesteps`` is not an increasing pair of fractions, or ``trajectory_gamma`` is not within 0
            and 1.
    """

    guidance_scale: float = 7.5
    """s of the prediction at x_t, against the negative prompt; ``guidance_scale`` (``configs/hamburger.yaml``)."""
    timesteps: tuple[float, float] = (0.02, 0.5)
    """Range of t's index after the warm-up, the second excluded; ``t_range`` (``configs/hamburger.yaml``)."""
    warm_up_timestep: float = 0.98
    """The range's upper end at the start, as a fraction of T; ``max_t_range`` (``configs/hamburger.yaml``)."""
    warm_up: float = 0.3
    """Share of the optimisation that warms up; ``warmup_iter`` 1500 of 5000 (``configs/hamburger.yaml``)."""
    interval: float = 0.05
    """t − s after the warm-up, as a fraction of T; ``delta_t`` 50 (``configs/hamburger.yaml``; others 25 and 80)."""
    warm_up_interval: float = 0.1
    """t − s at the start, as a fraction of T; ``delta_t_start`` 100 (``configs/hamburger.yaml``)."""
    inversion_interval: float = 0.2
    """Stride of the inversion up to s, as a fraction of T; ``xs_delta_t`` 200 (``configs/hamburger.yaml``)."""
    channel_noise: float = 0.1
    """Standard deviation of the noise's offset by channel (``train_step``)."""
    weight: float = 0.1
    """λ of the update; ``lambda_guidance`` (``configs/hamburger.yaml``)."""
    negative_prompt: str = (
        "unrealistic, blurry, low quality, out of focus, ugly, low contrast, dull, dark, "
        "low-resolution, oversaturation."
    )
    """The base of the guidance at x_t; ``negative`` (``configs/hamburger.yaml``)."""
    trajectory_gamma: float = 1.0
    """γ of trajectory score matching, as in ``ism``; 1 is ISM."""

    later_fields: ClassVar = ("trajectory_gamma",)

    def __post_init__(self) -> None:
        require_range("timesteps", *self.timesteps)
        require(0.0 <= self.trajectory_gamma <= 1.0, "trajectory_gamma", self.trajectory_gamma, "within 0 and 1")

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; they share one t, as the inversion's strides do."""
        clean = view.clean
        rounding = math.floor if prompt.perpendicular is None else math.ceil
        path = self._path(prior, progress, streams["timestep"], rounding)
        path = path[:, None].expand(-1, len(clean))
        t = path[-1]
        started = add_noise(prior, clean, self._noise(clean, streams["noise"]), path[0])
        inverted = ddim_inversion(prior, started, path, prompt, 0.0)
        noisy, subtracted = inverted.noisy, noise_before(prior, inverted, path, prompt, 0.0, self.trajectory_gamma)
        guided = guided_prediction(prior, noisy, t, prompt, self.guidance_scale, against="negative")
        alpha, sigma = levels(prior, t)
        update = self.weight * sigma / alpha * (guided.noise - subtracted)
        loss = update_loss(view.latents, len(clean) * update)
        return Distillation(loss, guided.target, t, (noisy - alpha * clean) / sigma, guided.noise)

    def _noise(self, latents: Tensor, generator: torch.Generator) -> Tensor:
        """The noise ``(b c lh lw)`` that the inversion begins with."""
        noise = torch.randn(latents.shape, generator=generator, device=generator.device)
        offset = torch.randn(1, latents.shape[1], 1, 1, generator=generator, device=generator.device)
        return to_device(noise + self.channel_noise * offset, latents)

    def _path(
        self, prior: Prior, progress: float, generator: torch.Generator, rounding: Callable[[float], int]
    ) -> Tensor:
        """Timesteps 1, 201, 401, …, s, t of this step's inversion: the indices 0, 200, … and one."""
        steps = len(prior.alphas_cumprod)
        remaining = 1.0 - min(progress / self.warm_up, 1.0) if self.warm_up > 0 else 0.0
        low, high = (timestep_index(prior, bound) for bound in self.timesteps)
        high += timestep_index(prior, remaining * max(self.warm_up_timestep - self.timesteps[1], 0.0))
        shortened = steps * remaining * (self.warm_up_interval - self.interval)
        interval = round(steps * self.interval) + rounding(round(shortened, 6))  # no rounding error becomes a step
        drawn = torch.randint(low, max(high, low + 1), (1,), generator=generator, device=generator.device)
        t = min(int(drawn), steps - 2)
        s = max(t - interval, 0)
        stride = max(1, int(steps * self.inversion_interval + 1e-6))
        return torch.tensor([*range(0, s, stride), s, t]) + 1

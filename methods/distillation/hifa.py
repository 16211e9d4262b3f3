"""HiFA: high-fidelity text-to-3D with a term on the image and a timestep that falls with a square root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.contracts import (
    Distillation,
    InversionStrategy,
    Method,
    Prior,
    State,
    Streams,
    TimestepSchedule,
    View,
    ViewPrompt,
)
from methods.diffusion.guidance import add_noise, levels
from methods.diffusion.sampling import Fresh, denoise
from methods.diffusion.schedules.sqrt import SquareRoot
from methods.distillation import methods, update_loss
from methods.inversion.random import RandomNoise
from methods.settings import require


@methods.register("hifa")
@dataclass(frozen=True)
class HiFA(Method):
    """∇_x = w (ε̂ − ε) and ∇_I = λ w (I − Î)·√ᾱ_t/√(1−ᾱ_t), with Î = decode(x̂0) (arXiv 2305.18766).

    The two are one rule, for ε̂ − ε = (x − x̂0)·√ᾱ_t/√(1−ᾱ_t): latents and image are each pulled towards what the
    prediction stands for.  The form and w(t) = 1 − ᾱ_t are threestudio's; the released code denoises in four
    steps (``denoise_steps``) with new noise in each (``eta``), and both pulls have a constant weight
    (``constant_weight``).  The second term's gradient goes to the image I, not through the encoder.  HiFA's penalties
    on depth belong to the scene.

    Raises:
        ValueError: If ``image_weight`` is negative, ``denoise_steps`` or ``constant_weight`` is not positive, or
            ``eta`` is not within 0 and 1.
    """

    guidance_scale: float = 101.0
    """s in ε_∅ + s·(ε_y − ε_∅); threestudio's 100 in its convention ε_y + s·(ε_y − ε_∅) (``hifa.yaml``)."""
    schedule: TimestepSchedule = SquareRoot(0.3, 0.98)
    """t falls with the square root of progress (arXiv 2305.18766; ``hifa.yaml``)."""
    image_weight: float = 0.01
    """λ, the weight of the term on the image (threestudio's ``lambda_sds_img``; 0.1 in the released code)."""
    inversion: InversionStrategy = RandomNoise()
    """Source of ε: sampled again in each step (arXiv 2305.18766)."""
    denoise_steps: int = 1
    """Steps of a whole DDIM path from T to x̂0, of which a view at t takes about n·t/T (threestudio's 1; the released
    code's ``denoising_steps`` is 4)."""

    eta: float = 0.0
    """Share of new noise in the steps between x_t and x̂0, of which ``denoise_steps`` = 1 has none: η of DDIM (1 in
    the released code)."""
    constant_weight: float | None = None
    """Weight of the pulls x − x̂0 and λ (I − Î) at every t (0.05 in the released code); None for w·√ᾱ_t/√(1−ᾱ_t)."""

    later_fields: ClassVar = ("denoise_steps", "eta", "constant_weight")

    def __post_init__(self) -> None:
        require(0.0 <= self.eta <= 1.0, "eta", self.eta, "within 0 and 1")
        constant = self.constant_weight
        require(constant is None or constant > 0, "constant_weight", constant, "a positive weight")
        require(self.image_weight >= 0, "image_weight", self.image_weight, "zero or a positive weight")
        require(self.denoise_steps >= 1, "denoise_steps", self.denoise_steps, "a positive number of steps")

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views."""
        clean = view.clean
        t = self.schedule(prior, progress, len(clean), streams["timestep"])
        noise = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        noisy = add_noise(prior, clean, noise, t)
        fresh = Fresh(self.eta, streams["noise"]) if self.eta > 0 else None
        guided = denoise(prior, noisy, t, prompt, self.guidance_scale, self.denoise_steps, fresh)
        alpha, sigma = levels(prior, t)
        # what all steps together predict at x_t; a single step's prediction stays as it is, to the bit
        predicted = guided.noise if self.denoise_steps == 1 else (noisy - alpha * guided.target) / sigma
        # w is of ε̂ − ε, which is x − x̂0 times α/σ
        weight = sigma.square() if self.constant_weight is None else self.constant_weight * sigma / alpha
        loss = update_loss(view.latents, weight * (predicted - noise))
        if self.image_weight > 0:
            aim = prior.decode(guided.target).detach()
            image = _resize(view.rgb, aim.shape[-1])
            pull = sigma * alpha if self.constant_weight is None else self.constant_weight
            loss = loss + self.image_weight * update_loss(image, pull * (image - aim))
        return Distillation(loss, guided.target, t, noise, guided.noise)


def _resize(rgb: Tensor, side: int) -> Tensor:
    """Square images ``(b 3 h w)`` with ``side`` pixels a side, resized as a prior's encoder does."""
    if rgb.shape[-1] == side:
        return rgb
    return torch.nn.functional.interpolate(rgb, (side, side), mode="bilinear", antialias=rgb.shape[-1] > side)

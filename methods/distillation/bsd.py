"""BSD: Balanced Score Distillation (PlacidDreamer)."""

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
from methods.diffusion.guidance import add_noise, bound_prediction, direction, levels, predict_rows, queries
from methods.diffusion.schedules.warm_up import WarmUp
from methods.distillation import methods, update_loss
from methods.inversion.random import RandomNoise
from methods.settings import require


@methods.register("bsd")
@dataclass(frozen=True)
class BSD(Method):
    """∇ = w·(a c + (1 − a) d), the shortest vector between c = ε_y − ε_∅ and d = δ·(ε_∅ − ε), a in [0, 1] per view.

    The step that lowers both objectives, the text's and the image's, as much as their conflict allows
    (arXiv 2407.13976).  w = λ·‖ε_∅ − ε‖·√(1 − ᾱ_t), δ and λ are those of ``train_step_BSD_auto`` in
    HansenHuang0823/PlacidDreamer@9e5f1f5, whose norm is over the batch; here each view has its own.  Its other path,
    its README's standard one, is ``standard`` with ``text = 15``, ``denoising = 1`` and ``weight = 0.1``.

    Raises:
        ValueError: If ``text`` is not positive.
    """

    denoising: float = 1.25
    """δ, the length of d against c; the code's 1.25."""
    weight: float = 0.002
    """λ; ``lambda_guidance`` of 0.1 divided by the code's 50 (``configs/0.yaml``)."""
    schedule: TimestepSchedule = WarmUp(0.02, 0.5, 0.98, 0.3)
    """Distribution of t; ``t_range``, ``max_t_range``, and ``warmup_iter`` 1500 of 5000 (``configs/0.yaml``)."""
    inversion: InversionStrategy = RandomNoise()
    """Source of ε: sampled again in each step."""
    text: float = 1.0
    """Factor of c, how much more the text counts than the image where they conflict (15 in ``train_step_BSD``)."""
    standard: bool = False
    """Whether the rule is that of ``train_step_BSD``: d = δ·ε_∅ without the noise ε, and w = λ·√ᾱ_t."""

    later_fields: ClassVar = ("text", "standard")

    def __post_init__(self) -> None:
        require(self.text > 0, "text", self.text, "a positive factor")

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; it is no difference from an image, so there is no target."""
        clean = view.clean
        t = self.schedule(prior, progress, len(clean), streams["timestep"])
        noise = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        noisy = add_noise(prior, clean, noise, t)
        conditional, null, *others = predict_rows(prior, *queries(noisy, t, prompt, prompt.positive, prompt.null))
        towards = bound_prediction(prior, noisy, t, null + direction(prompt, conditional, null, others)).noise
        base = bound_prediction(prior, noisy, t, null).noise
        alpha, sigma = levels(prior, t)
        length = torch.linalg.vector_norm(base - noise, dim=(1, 2, 3), keepdim=True)
        weight = self.weight * alpha if self.standard else self.weight * sigma * length
        image = base if self.standard else base - noise
        update = weight * shortest(self.text * (towards - base), self.denoising * image)
        return Distillation(update_loss(view.latents, update), None, t, noise, towards)


def shortest(first: Tensor, second: Tensor) -> Tensor:
    """The shortest vector on the line between two vectors of each view, ``(b c lh lw)`` all three."""
    apart = second - first
    over = (1, 2, 3)
    length = apart.square().sum(over, keepdim=True).clamp_min(torch.finfo(apart.dtype).tiny)
    share = ((apart * second).sum(over, keepdim=True) / length).clamp(0.0, 1.0)
    return share * first + (1 - share) * second

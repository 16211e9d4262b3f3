"""CSD as its authors release it for Stable Diffusion."""

from __future__ import annotations

from dataclasses import dataclass

import torch

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
from methods.diffusion.guidance import levels
from methods.diffusion.schedules.uniform import Uniform
from methods.distillation import methods, update_loss
from methods.distillation.csd import CSD
from methods.inversion.random import RandomNoise


@methods.register("csd-code")
@dataclass(frozen=True)
class CSDCode(Method):
    """CSD (arXiv 2310.19415) with the guidance of CVMI-Lab/Classifier-Score-Distillation@5c65ca7.

    ``stable_diffusion_triple_guidance.py`` weighs by 1 − ᾱ_t, and ``csd-sd-refine.yaml`` starts from the direction away
    from the negative prompt and moves half of it to the empty one.  ``normalised`` is ``grad_normalize`` of
    ``deep_floyd_simple_guidance.py``, on by default in the code's first stage, which has no weight.
    """

    null: tuple[float, float] = (0.0, -0.5)
    """c₃ at the first and at the last step (``null_scale``)."""
    negative: tuple[float, float] = (-1.0, -0.5)
    """c₂ at the first and at the last step (``uncond_scale``)."""
    normalised: bool = False
    """Divides the unweighted update of a batch by its 2-norm, as the first stage does."""
    schedule: TimestepSchedule = Uniform(0.02, 0.5)
    """Distribution of t (``min_``, ``max_step_percent``)."""
    inversion: InversionStrategy = RandomNoise()
    """Source of ε: sampled again in each step (``compute_grad_sds``)."""
    negative_prompt: str = "oversaturated color, ugly, tiling, low quality, noisy"
    """The configuration's."""

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views."""
        t = self.schedule(prior, progress, len(view.clean), streams["timestep"])
        noise = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        null, negative = (first + (last - first) * progress for first, last in (self.null, self.negative))
        update, conditional = CSD(null=null, negative=negative).update(view, t, noise, prior=prior, prompt=prompt)
        if self.normalised:
            update = update / (torch.linalg.vector_norm(update) + 1e-8)
        else:
            update = levels(prior, t)[1].square() * update
        return Distillation(update_loss(view.latents, update), None, t, noise, conditional)

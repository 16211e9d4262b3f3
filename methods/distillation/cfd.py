"""CFD: Consistent Flow Distillation."""

from __future__ import annotations

from dataclasses import dataclass

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
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.diffusion.schedules.polyline import Polyline
from methods.distillation import methods, update_loss
from methods.inversion.surface import Surface


@methods.register("cfd")
@dataclass(frozen=True)
class CFD(Method):
    """∇ = σ(t)·(ε̂ − κ) = x − x̂0, with κ from a noise on the object's surface (arXiv 2501.05445).

    σ(t) = √((1−ᾱ_t)/ᾱ_t).  It is SDI's update with another κ, and with the negative prompt in the place of the empty
    one, as the released code has it (runjie-yan/ConsistentFlowDistillation, ec2e289).
    """

    guidance_scale: float = 71.0
    """s of the prediction ε_neg + s·(ε_y − ε_neg); the code adds 70 of it to ε_y (``configs/cfd/sd-stage1.yaml``)."""
    inversion: InversionStrategy = Surface()
    """Source of κ: noise on the surface, with its renewal (``noise_generator`` in ``sd-stage1.yaml``)."""
    schedule: TimestepSchedule = Polyline()
    """t falls in three linear pieces (``t_scheduler`` in ``sd-stage1.yaml``)."""
    negative_prompt: str = (
        "lack details, ugly, oversmoothed, bad structure, out of focus, blurry, cartoon, oversaturated, foggy, hazy, "
        "bad anatomy, malformed, pixelated obscure, unnatural colors, dull, unclear, lowres, low quality, deformed, "
        "dehydrated"
    )
    """The configuration's."""

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views."""
        clean = view.clean
        t = self.schedule(prior, progress, len(clean), streams["timestep"])
        kappa = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        noisy = add_noise(prior, clean, kappa, t)
        guided = guided_prediction(prior, noisy, t, prompt, self.guidance_scale, "negative")
        loss = update_loss(view.latents, clean - guided.target)
        return Distillation(loss, guided.target, t, kappa, guided.noise)

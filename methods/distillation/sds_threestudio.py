"""SDS as threestudio releases it, whose numbers the papers compare with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

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
from methods.diffusion.schedules.uniform import Uniform
from methods.distillation import methods
from methods.distillation.sds import SDS
from methods.inversion.random import RandomNoise


@methods.register("sds-threestudio")
@dataclass(frozen=True)
class SDSThreestudio(Method):
    """SDS (arXiv 2209.14988) with the guidance of threestudio@28d9d80, ``stable_diffusion_guidance.py``.

    The code guides from the text's prediction, ε_y + s·(ε_y − ε_∅), which is s + 1 in this project's convention;
    its maintainers mean it so (threestudio#127, #289).  With Perp-Neg on, the same file has the usual convention,
    and so has this class.  Everything else is ``sds``: t is uniform with both ends included, the weight 1 − ᾱ_t,
    the loss summed over a view.  Left out: zeros instead of an update's NaNs, which here end the cell as
    ``nan``; the upsampling of 64² renders; and Perp-Neg's evaluation, in a batch, of negatives on other views' latents.
    """

    text_guidance_scale: float = 100.0
    """s of the code's convention ε_y + s·(ε_y − ε_∅); its ``guidance_scale`` (``configs/dreamfusion-sd.yaml``)."""
    schedule: TimestepSchedule = Uniform(0.02, 0.98)
    """Distribution of t; ``min_``, ``max_step_percent`` (``configs/dreamfusion-sd.yaml``)."""
    inversion: InversionStrategy = RandomNoise()
    """Source of ε: sampled again in each step (``compute_grad_sds``)."""

    @property
    def guidance_scale(self) -> float:
        """The guidance without Perp-Neg in the convention ε_∅ + s·(ε_y − ε_∅): 101 by default."""
        return self.text_guidance_scale + 1

    def calibrated(self, prior: Prior) -> Self:
        """A copy with guidance as strong as the prior's own scale, which is one less in the code's convention."""
        return replace(super().calibrated(prior), text_guidance_scale=prior.guidance_scale - 1)

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views."""
        scale = self.guidance_scale if prompt.perpendicular is None else self.text_guidance_scale
        sds = SDS(guidance_scale=scale, schedule=self.schedule, inversion=self.inversion)
        return sds(view, prior=prior, prompt=prompt, progress=progress, streams=streams, state=state)

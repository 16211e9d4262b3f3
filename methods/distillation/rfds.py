"""RFDS: Rectified Flow Distillation Sampling."""

from __future__ import annotations

from dataclasses import dataclass

from methods.contracts import TimestepSchedule
from methods.diffusion.schedules.flow_time import FlowTime
from methods.distillation import methods
from methods.distillation.sds import SDS, Weight


@methods.register("rfds")
@dataclass(frozen=True)
class RFDS(SDS):
    """SDS weighted by 1/(1 − s): ∇ = v̂ − (ε − x), the error of a rectified flow's velocity (arXiv 2406.03293).

    Settings are those of the released code for Stable Diffusion 3 (yangxiaofeng/rectified_flow_prior, 235e39f), which
    guides away from a negative prompt.
    """

    guidance_scale: float = 100.0
    """s of the prediction v_neg + s·(v_y − v_neg) (``configs/rfds_sd3.yaml``)."""
    schedule: TimestepSchedule = FlowTime(0.02, 0.7, 3.0)
    """Distribution of t (``min_``, ``max_step_percent`` of ``configs/rfds_sd3.yaml``, on timesteps that fall)."""
    weight: Weight = "velocity"
    """w(t): the flow's own, 1/(1 − s)."""
    negative_prompt: str = "unrealistic, blurry, low quality, oversaturation."
    """The configuration's."""

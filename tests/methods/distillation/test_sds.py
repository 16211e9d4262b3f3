"""SDS's target; its equation is in test_closed_form.py."""

from __future__ import annotations

import torch

from methods.distillation.sds import SDS


def test_target_is_the_image_the_prediction_stands_for(prior, prompt, rgb, make_view, make_streams) -> None:
    view = make_view(prior, rgb)
    out = SDS(guidance_scale=1.0)(view, prior=prior, prompt=prompt, progress=0, streams=make_streams(), state={})
    (gradient,) = torch.autograd.grad(out.loss, view.latents)
    # A step along the update must lead towards the target: x̂0 − x is the update over −w·√((1−ᾱ)/ᾱ)/σ².
    towards = (out.target - view.latents.detach()).flatten()
    assert torch.nn.functional.cosine_similarity(-gradient.flatten(), towards, dim=0) > 0.5

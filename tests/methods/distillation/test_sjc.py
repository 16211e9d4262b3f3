"""SJC in its own variables, and the update that it differs from by a weight alone."""

from __future__ import annotations

import torch

from methods.diffusion.schedules.uniform import Uniform
from methods.distillation.sds import SDS
from methods.distillation.sjc import SJC


def test_sds_is_sjc_times_one_minus_alpha(prior, prompt, rgb, make_view, make_streams) -> None:
    gradients = []
    for method in (SJC, SDS):
        view = make_view(prior, rgb)
        out = method(guidance_scale=3.0, schedule=Uniform(0.3, 0.3))(
            view, prior=prior, prompt=prompt, progress=0.0, streams=make_streams(), state={}
        )
        gradients.append(torch.autograd.grad(out.loss, view.latents)[0])
    torch.testing.assert_close(gradients[1], (1 - prior.alphas_cumprod[300]) * gradients[0])


def test_the_target_is_the_denoiser_s_image(prior, prompt, rgb, make_view, make_streams) -> None:
    """∇ = (x − D)/σ (arXiv 2212.00774): a step of σ along −∇ arrives at D."""
    view = make_view(prior, rgb)
    out = SJC(guidance_scale=3.0, schedule=Uniform(0.6, 0.6))(
        view, prior=prior, prompt=prompt, progress=0.0, streams=make_streams(), state={}
    )
    (gradient,) = torch.autograd.grad(out.loss, view.latents)
    alpha = prior.alphas_cumprod[600]
    arrived = view.latents.detach() - ((1 - alpha) / alpha).sqrt() * 2 * gradient
    torch.testing.assert_close(out.target, arrived, rtol=1e-4, atol=1e-4)

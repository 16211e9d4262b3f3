"""SDS against its formula on a prior with a closed form, and against the published form of the update."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.cameras import evaluation_ring
from methods.contracts import Rendering, View, ViewPrompt
from methods.distillation.sds import SDS
from methods.priors.closed_form.gaussian import GaussianPrior


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0, 30), t=st.floats(0.02, 0.97), seed=st.integers(0, 1000))
def test_gradient_is_the_closed_form(scale: float, t: float, seed: int) -> None:
    prior = GaussianPrior(clip_target=None)
    generator = torch.Generator().manual_seed(seed)
    rgb = torch.rand(1, 3, 16, 16, generator=generator)
    view = View(Rendering(rgb.requires_grad_(), rgb[:, :1], rgb[:, :1]), evaluation_ring(1), prior)
    mean = prior.embed(["a red car"])
    prompt = ViewPrompt(mean, prior.embed([""]), prior.embed([""]))
    streams = {"timestep": generator, "noise": torch.Generator().manual_seed(seed + 1)}
    out = SDS(guidance_scale=scale, timesteps=(t, t))(
        view, prior=prior, prompt=prompt, progress=0.0, streams=streams, state=None
    )
    (gradient,) = torch.autograd.grad(out.loss, view.latents)

    alpha = prior.alphas_cumprod[int(out.timestep)].double()
    noise = torch.randn(rgb.shape, generator=torch.Generator().manual_seed(seed + 1)).double()
    x = view.latents.detach().double()
    # The score of N(√ᾱ s·m, ᾱ·d² + 1 − ᾱ): guidance between two Gaussians of one width moves the mean to s·m.
    variance = alpha * prior.deviation**2 + 1 - alpha
    noisy = alpha.sqrt() * x + (1 - alpha).sqrt() * noise
    predicted = (1 - alpha).sqrt() * (noisy - alpha.sqrt() * scale * mean[0, 0, :, None, None].double()) / variance
    expected = (1 - alpha) * (predicted - noise)
    assert (gradient.double() - expected).norm() <= 1e-5 * expected.norm() + 1e-6


def test_target_is_the_picture_the_prediction_stands_for(prior, prompt, rgb, make_view, make_streams) -> None:
    view = make_view(prior, rgb)
    out = SDS(guidance_scale=1.0)(view, prior=prior, prompt=prompt, progress=0, streams=make_streams(), state=None)
    (gradient,) = torch.autograd.grad(out.loss, view.latents)
    # A step along the update must lead towards the target: x̂0 − x is the update over −w·√((1−ᾱ)/ᾱ)/σ².
    towards = (out.target - view.latents.detach()).flatten()
    assert torch.nn.functional.cosine_similarity(-gradient.flatten(), towards, dim=0) > 0.5

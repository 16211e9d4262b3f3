"""NFSD's cost; its equation is in test_closed_form.py."""

from __future__ import annotations

import pytest
import torch

from methods.contracts import Perpendicular
from methods.diffusion.guidance import add_noise, guided_noise
from methods.diffusion.schedules.uniform import Uniform
from methods.distillation.nfsd import NFSD


def test_one_network_call_of_three_rows_per_view(prior, prompt, rgb, make_view, make_streams) -> None:
    NFSD()(make_view(prior, rgb), prior=prior, prompt=prompt, progress=0.0, streams=make_streams(), state={})
    assert (prior.calls, prior.rows) == (1, 6)


@pytest.mark.parametrize("t", [0.1, 0.6])
def test_perp_neg_is_in_the_classifier_s_direction(t, prior, prompt, rgb, make_view, make_streams) -> None:
    others = (prior.embed(["a green tree", "x"]), prior.embed(["a pink house", "y"]))
    asked = prompt._replace(perpendicular=Perpendicular(others, torch.tensor([[-0.5, -1.0], [0.0, -2.0]])))
    view = make_view(prior, rgb)
    method = NFSD(schedule=Uniform(t, t), guidance_scale=5.0)
    out = method(view, prior=prior, prompt=asked, progress=0.0, streams=make_streams(), state={})
    noisy = add_noise(prior, view.clean, out.noise, out.timesteps)
    expected = guided_noise(prior, noisy, out.timesteps, asked, 5.0)
    if t > 0.2:
        expected = expected - prior.predict_noise(noisy, out.timesteps, prompt.negative)
    weight = 1 - prior.alphas_cumprod[out.timesteps][:, None, None, None]
    (gradient,) = torch.autograd.grad(out.loss, view.latents)
    torch.testing.assert_close(gradient * 2, weight * expected, rtol=1e-4, atol=1e-5)

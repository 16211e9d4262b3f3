"""NFSD against its definition, term by term."""

from __future__ import annotations

import pytest
import torch

from methods.distillation.nfsd import NFSD


@pytest.mark.parametrize("t", [0.1, 0.19, 0.2, 0.6])
def test_gradient_is_the_sum_of_its_directions(t, prior, prompt, rgb, make_view, make_streams) -> None:
    view = make_view(prior, rgb)
    method = NFSD(guidance_scale=7.5, timesteps=(t, t))
    out = method(view, prior=prior, prompt=prompt, progress=0.0, streams=make_streams(), state=None)
    (gradient,) = torch.autograd.grad(out.loss, view.latents)

    index = torch.tensor([int(out.timestep)] * 2)
    alpha = prior.alphas_cumprod[index][:, None, None, None]
    noise = torch.randn(view.latents.shape, generator=make_streams()["noise"])
    noisy = alpha.sqrt() * view.latents.detach() + (1 - alpha).sqrt() * noise
    conditional, null, negative = (
        prior.predict_noise(noisy, index, c) for c in (prompt.positive, prompt.null, prompt.negative)
    )
    domain = null if t < 0.2 else null - negative
    expected = (1 - alpha) * (domain + 7.5 * (conditional - null)) / 2
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-5)


def test_one_network_call_of_three_rows_a_view(prior, prompt, rgb, make_view, make_streams) -> None:
    NFSD()(make_view(prior, rgb), prior=prior, prompt=prompt, progress=0.0, streams=make_streams(), state=None)
    assert (prior.calls, prior.rows) == (1, 6)

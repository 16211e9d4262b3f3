"""Guidance: one convention, no wasted rows, and targets within the picture range."""

from __future__ import annotations

import pytest
import torch

from methods.diffusion.guidance import add_noise, bounded, guided_prediction
from methods.priors.closed_form.gaussian import GaussianPrior

TIMES = torch.tensor([300, 700])


@pytest.fixture
def noisy() -> torch.Tensor:
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("scale", "rows"), [(0.0, 2), (1.0, 2), (7.5, 4), (-7.5, 4)])
def test_guidance_is_linear_in_the_scale(scale, rows, prior, prompt, noisy) -> None:
    out = guided_prediction(prior, noisy, TIMES, positive=prompt.positive, base=prompt.null, scale=scale)
    assert prior.rows == rows
    null = prior.predict_noise(noisy, TIMES, prompt.null)
    positive = prior.predict_noise(noisy, TIMES, prompt.positive)
    torch.testing.assert_close(out.noise, null + scale * (positive - null))
    torch.testing.assert_close(add_noise(prior, out.target, out.noise, TIMES), noisy, rtol=1e-4, atol=1e-4)


def test_clipped_target_and_noise_agree(noisy) -> None:
    prior = GaussianPrior(clip_target=1.0)
    out = bounded(prior, noisy, TIMES, 3 * noisy)
    assert float(out.target.abs().max()) <= 1.0
    torch.testing.assert_close(add_noise(prior, out.target, out.noise, TIMES), noisy, rtol=1e-4, atol=1e-4)

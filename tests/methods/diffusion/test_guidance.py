"""Guidance: one convention, no wasted rows, and targets within the range of images."""

from __future__ import annotations

import pytest
import torch

from methods.diffusion.guidance import Query, add_noise, bound_prediction, guided_prediction, predict_rows
from methods.priors.closed_form.gaussian import GaussianPrior

TIMES = torch.tensor([300, 700])


@pytest.fixture
def noisy() -> torch.Tensor:
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("scale", "rows"), [(0.0, 2), (1.0, 2), (7.5, 4), (-7.5, 4)])
def test_guidance_is_linear_in_the_scale(scale, rows, prior, prompt, noisy) -> None:
    out = guided_prediction(prior, noisy, TIMES, prompt, scale)
    assert prior.rows == rows
    null = prior.predict_noise(noisy, TIMES, prompt.null)
    positive = prior.predict_noise(noisy, TIMES, prompt.positive)
    torch.testing.assert_close(out.noise, null + scale * (positive - null))
    torch.testing.assert_close(add_noise(prior, out.target, out.noise, TIMES), noisy, rtol=1e-4, atol=1e-4)


def test_clipped_target_and_noise_agree(noisy) -> None:
    prior = GaussianPrior(clip_target=1.0)
    out = bound_prediction(prior, noisy, TIMES, 3 * noisy)
    assert float(out.target.abs().max()) <= 1.0
    torch.testing.assert_close(add_noise(prior, out.target, out.noise, TIMES), noisy, rtol=1e-4, atol=1e-4)


def test_guidance_goes_away_from_the_chosen_conditioning(prior, prompt, noisy) -> None:
    out = guided_prediction(prior, noisy, TIMES, prompt, 7.5, against="negative")
    away = prior.predict_noise(noisy, TIMES, prompt.negative)
    positive = prior.predict_noise(noisy, TIMES, prompt.positive)
    torch.testing.assert_close(out.noise, away + 7.5 * (positive - away))
    assert not torch.allclose(out.noise, guided_prediction(prior, noisy, TIMES, prompt, 7.5).noise)


def test_each_query_has_its_own_latents_and_timesteps(prior, prompt, noisy) -> None:
    """One call of two batches of different sizes equals two calls."""
    later = torch.tensor([900])
    queries = Query(noisy, TIMES, prompt.positive), Query(2 * noisy[:1], later, prompt.null[:1])
    first, second = predict_rows(prior, *queries)
    assert (prior.calls, prior.rows) == (1, 3)
    torch.testing.assert_close(first, prior.predict_noise(noisy, TIMES, prompt.positive))
    torch.testing.assert_close(second, prior.predict_noise(2 * noisy[:1], later, prompt.null[:1]))

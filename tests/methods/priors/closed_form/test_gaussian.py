"""The closed form against a numerical score."""

from __future__ import annotations

import torch
from scipy.stats import norm

from methods.priors.closed_form.gaussian import GaussianPrior


def test_noise_is_minus_sigma_times_the_score() -> None:
    prior = GaussianPrior(deviation=0.4)
    mean = prior.embed(["a red car"])
    x = torch.linspace(-2, 2, 16).expand(1, 3, 16, 16).contiguous()
    for t in (50, 500, 950):
        alpha = float(prior.alphas_cumprod[t].double())
        noise = prior.predict_noise(x, torch.tensor([t]), mean)
        for channel in range(3):
            law = norm(alpha**0.5 * float(mean.sequence[0, 0, channel]), (alpha * 0.16 + 1 - alpha) ** 0.5)
            at, step = x[0, channel, 0].double().numpy(), 1e-5
            score = (law.logpdf(at + step) - law.logpdf(at - step)) / (2 * step)
            expected = torch.tensor(-((1 - alpha) ** 0.5) * score)
            torch.testing.assert_close(noise[0, channel, 0].double(), expected, rtol=1e-4, atol=1e-4)

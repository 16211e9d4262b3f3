"""The mixture against a numerical score and its posterior's limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm

from methods.conditioning import Conditioning
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.priors.closed_form.mixture import MixturePrior


@pytest.mark.parametrize("t", [5, 300, 700, 950])
def test_noise_is_minus_sigma_times_the_score(t) -> None:
    """Along a random direction, of the log-density written with scipy; near the middle between two modes."""
    prior = MixturePrior(deviation=0.4)
    text = torch.tensor([[[0.2, 0.1, 0.0, np.log(0.6)], [0.0, 0.1, 0.2, np.log(0.3)], [0.1, 0.1, 0.3, np.log(0.1)]]])
    alpha = float(prior.alphas_cumprod[t].double())
    rng = np.random.default_rng(t)
    centre = alpha**0.5 * text[0, :2, :3].double().mean(dim=0).numpy()[:, None, None]
    x = centre + (1 - 0.84 * alpha) ** 0.5 * rng.standard_normal((3, 16, 16))
    direction = rng.standard_normal((3, 16, 16))

    def log_density(at: np.ndarray) -> float:
        means = alpha**0.5 * text[0, :, :3].double().numpy()[..., None, None]
        terms = norm(means, (alpha * 0.16 + 1 - alpha) ** 0.5).logpdf(at[None]).sum(axis=(1, 2, 3))
        return logsumexp(terms, b=[0.6, 0.3, 0.1])

    step = 1e-4
    slope = (log_density(x + step * direction) - log_density(x - step * direction)) / (2 * step)
    noise = prior.predict_noise(torch.from_numpy(x)[None], torch.tensor([t]), Conditioning(text))[0].numpy()
    assert (noise * direction).sum() == pytest.approx(-((1 - alpha) ** 0.5) * slope, rel=1e-5, abs=1e-5)


def test_one_mode_is_the_gaussian() -> None:
    noisy = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    timesteps, text = torch.tensor([40, 800]), MixturePrior(modes=1).embed(["a red car", "a blue duck"])
    ours = MixturePrior(modes=1).predict_noise(noisy, timesteps, text)
    torch.testing.assert_close(
        ours, GaussianPrior().predict_noise(noisy, timesteps, Conditioning(text.sequence[..., :3]))
    )


def test_little_noise_leaves_the_nearest_mode_and_much_noise_their_mean() -> None:
    prior = MixturePrior()
    text = prior.embed(["a red car"])
    weights, colours = text.sequence[0, :, 3].exp(), text.sequence[0, :, :3]
    assert float(weights.sum()) == pytest.approx(1)
    near = colours[1, None, :, None, None].expand(1, 3, 16, 16)
    for t, expected in ((50, colours[1]), (999, (weights[:, None] * colours).sum(dim=0))):
        alpha = prior.alphas_cumprod[t]
        noise = prior.predict_noise(alpha.sqrt() * near if t == 50 else 0 * near, torch.tensor([t]), text)
        noisy = alpha.sqrt() * near if t == 50 else 0 * near
        clean = (noisy - (1 - alpha).sqrt() * noise) / alpha.sqrt()
        torch.testing.assert_close(clean.mean(dim=(0, 2, 3)), expected, rtol=0, atol=0.1)


def test_texts_have_modes_of_their_own_and_views_share_them() -> None:
    texts = MixturePrior(modes=8).embed(["a red car", "a red car, back view", "a blue duck"]).sequence
    assert texts.shape == (3, 8, 4)
    assert torch.equal(texts[0], texts[1])
    assert len({tuple(mode) for mode in texts[[0, 2]].flatten(0, 1).tolist()}) == 16


@pytest.mark.parametrize("modes", [0, 9])
def test_an_impossible_number_of_modes_is_named(modes) -> None:
    with pytest.raises(ValueError, match=f"modes: {modes} is not between 1 and 8"):
        MixturePrior(modes=modes)

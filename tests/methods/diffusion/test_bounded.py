"""The range of images is kept to where the setting says, and nowhere else."""

from __future__ import annotations

import pytest
import torch

from methods.diffusion.bounded import with_bound
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.priors.closed_form.gaussian import GaussianPrior

LIMIT = 0.5
TIMES = torch.tensor([300, 700])


@pytest.mark.parametrize(("bound", "update", "inversion"), [("none", 0, 0), ("target", 1, 0), ("all", 1, 1)])
def test_each_setting_clips_what_it_names(bound, update, inversion, prompt) -> None:
    prior = with_bound(GaussianPrior(clip_target=LIMIT), bound)
    noisy = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for inverting, is_clipped in ((False, update), (True, inversion)):
        out = guided_prediction(prior, noisy, TIMES, prompt, 7.5, inverting=inverting)
        assert (float(out.target.abs().max()) <= LIMIT) == bool(is_clipped)
        torch.testing.assert_close(add_noise(prior, out.target, out.noise, TIMES), noisy, rtol=1e-4, atol=1e-4)


def test_the_rest_is_the_prior_s_own(prompt) -> None:
    prior = GaussianPrior()
    bounded = with_bound(prior, "none")
    bounded.predict_noise(torch.zeros(2, 3, 16, 16), TIMES, prompt.positive)
    assert (bounded.calls, bounded.rows, prior.calls) == (1, 2, 1)
    assert bounded.alphas_cumprod is prior.alphas_cumprod
    assert with_bound(prior, "all") is prior

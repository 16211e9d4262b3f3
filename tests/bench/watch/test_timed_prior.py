from __future__ import annotations

import torch

from bench.watch.step_clock import StepClock
from bench.watch.timed_prior import timed
from methods.priors.closed_form.gaussian import GaussianPrior


class _SpyClock(StepClock):
    def __init__(self) -> None:
        super().__init__(torch.device("cpu"))

    @property
    def parts(self) -> list[str]:
        return [name for name, *_ in self._marks]


def test_encoder_and_network_are_timed_and_give_the_priors_own_numbers() -> None:
    prior, clock = GaussianPrior(), _SpyClock()
    watched = timed(prior, clock)
    rgb = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    latents, times = watched.encode(rgb), torch.tensor([10, 900])
    text = watched.embed(["a", "b"])
    noise = watched.predict_noise(latents, times, text)
    assert clock.parts == ["encode", "unet"]
    assert torch.equal(latents, prior.encode(rgb))
    assert torch.equal(noise, GaussianPrior().predict_noise(latents, times, text))
    assert (watched.calls, watched.rows) == (prior.calls, prior.rows) == (1, 2)
    assert watched.alphas_cumprod is prior.alphas_cumprod


def test_an_adapted_copy_is_timed_once_a_call() -> None:
    prior, clock = GaussianPrior(), _SpyClock()
    adapted = timed(prior, clock).adapted(4, torch.Generator())
    latents, times = torch.zeros(1, 3, 16, 16), torch.tensor([500])
    adapted.predict_noise(latents, times, prior.embed(["a"]), torch.zeros(1, 16))
    assert clock.parts == ["unet"]
    assert prior.calls == 1
    assert adapted.parameters().keys() == prior.adapted(4, torch.Generator()).parameters().keys()

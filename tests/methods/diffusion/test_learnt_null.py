"""The learnt null prompt as a part of a prior: what is trained and what stays."""

from __future__ import annotations

import torch

from methods.conditioning import Conditioning
from methods.diffusion.learnt_null import LearntNull
from methods.priors.closed_form.gaussian import GaussianPrior


class PooledPrior(GaussianPrior):
    """The closed-form prior with a pooled vector and ids, as SDXL has them; it keeps what it was asked with."""

    def null(self, count: int) -> Conditioning:
        sequence = torch.full((1, 1, 3), 0.25).expand(count, -1, -1)
        return Conditioning(sequence, pooled=torch.full((count, 2), 7.0), ids=torch.full((count, 6), 16.0))

    def predict_noise(self, latents, timesteps, conditioning):
        self.asked = conditioning
        return super().predict_noise(latents, timesteps, conditioning)


def test_the_sequence_is_learnt_and_the_rest_is_that_of_no_prompt() -> None:
    prior = PooledPrior()
    learnt = LearntNull(prior)
    assert {name: value.shape for name, value in learnt.parameters().items()} == {"null": (1, 1, 3)}
    assert torch.equal(learnt.null, prior.null(1).sequence)
    with torch.no_grad():
        learnt.null += 0.5
    latents, t = torch.zeros(4, 3, 16, 16), torch.full((4,), 300)
    given = prior.embed(["a", "b", "c", "d"])
    noise = learnt.predict_noise(latents, t, given, torch.ones(4, 16))
    assert torch.equal(prior.asked.sequence, torch.full((4, 1, 3), 0.75))
    assert torch.equal(prior.asked.pooled, prior.null(4).pooled)
    assert torch.equal(prior.asked.ids, prior.null(4).ids)
    noise.square().sum().backward()
    assert learnt.null.grad is not None
    assert bool((learnt.null.grad != 0).all())

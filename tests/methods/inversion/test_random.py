"""Random noise: standard normal, new each time, and independent of the image."""

from __future__ import annotations

import pytest
import torch

from methods.inversion.random import RandomNoise


def test_noise_is_standard_normal(infer, prior, prompt, make_streams) -> None:
    """Mean, variance and kurtosis of 100 k numbers, to five standard errors of each."""
    images = torch.zeros(8, 3, 64, 64)
    noise = infer(
        RandomNoise(), images, torch.full((8,), 500), prior=prior, prompt=prompt, streams=make_streams()
    ).double()
    count = noise.numel()
    assert abs(float(noise.mean())) < 5 / count**0.5
    assert float(noise.square().mean()) == pytest.approx(1, abs=5 * (2 / count) ** 0.5)
    assert float(noise.pow(4).mean()) == pytest.approx(3, abs=5 * (96 / count) ** 0.5)


def test_noise_is_fresh_each_time_and_for_each_view(infer, prior, prompt, make_streams) -> None:
    call = {"prior": prior, "prompt": prompt, "streams": make_streams()}
    draws = [infer(RandomNoise(), torch.zeros(2, 3, 64, 64), torch.tensor([5, 5]), **call).flatten(1) for _ in range(3)]
    correlation = torch.corrcoef(torch.cat(draws)).fill_diagonal_(0)
    assert float(correlation.abs().max()) < 5 / draws[0].shape[1] ** 0.5
    assert prior.calls == 0


def test_noise_depends_on_the_noise_stream_alone(infer, prior, prompt, make_streams) -> None:
    def draw(image: float, t: int, seed: int) -> torch.Tensor:
        latents = torch.full((2, 3, 8, 8), image)
        return infer(
            RandomNoise(), latents, torch.tensor([t, t]), prior=prior, prompt=prompt, streams=make_streams(seed)
        )

    assert torch.equal(draw(0.0, 5, 0), draw(1.0, 900, 0))
    assert not torch.equal(draw(0.0, 5, 0), draw(0.0, 5, 1))

"""Fixed noise: one draw for the whole optimisation."""

from __future__ import annotations

import pytest
import torch

from methods.inversion.fixed import FixedNoise


def test_noise_is_the_same_at_every_step_whatever_else_was_drawn(infer, prior, prompt, make_streams) -> None:
    streams = make_streams()
    first = None
    for step in range(5):
        latents = torch.full((2, 3, 16, 16), float(step))
        noise = infer(
            FixedNoise(), latents, torch.tensor([900 - step] * 2), prior=prior, prompt=prompt, streams=streams
        )
        first = noise if first is None else first
        assert torch.equal(noise, first)
        for stream in streams.values():
            torch.randn(step + 1, generator=stream)


def test_all_views_share_it_however_many_they_are(infer, prior, prompt, make_streams) -> None:
    one, three = (
        infer(
            FixedNoise(),
            torch.zeros(views, 3, 64, 64),
            torch.zeros(views).long(),
            prior=prior,
            prompt=prompt,
            streams=make_streams(),
        )
        for views in (1, 3)
    )
    assert torch.equal(three, one.expand(3, -1, -1, -1))
    assert float(one.std()) == pytest.approx(1, rel=0.03)


def test_it_takes_nothing_from_the_stream_and_differs_between_seeds(infer, prior, prompt, make_streams) -> None:
    streams = make_streams()
    call = {"prior": prior, "prompt": prompt}
    noise = infer(FixedNoise(), torch.zeros(2, 3, 8, 8), torch.tensor([5, 5]), streams=streams, **call)
    assert torch.equal(torch.rand(3, generator=streams["noise"]), torch.rand(3, generator=make_streams()["noise"]))
    other = infer(FixedNoise(), torch.zeros(2, 3, 8, 8), torch.tensor([5, 5]), streams=make_streams(1), **call)
    assert not torch.equal(noise, other)

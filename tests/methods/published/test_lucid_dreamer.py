"""Ours against numbers from running LucidDreamer's guidance on the same inputs (the golden file names the commit)."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from methods.distillation.ism_code import ISMCode


@pytest.mark.parametrize("number", range(5))
def test_ism_update_and_timesteps_are_lucid_dreamer_s(number, published, setting, difference) -> None:
    case = published("ism_code")["cases"][number]
    prior, view, prompt, streams = setting(case)
    method = ISMCode(interval=case["delta_t"] / 1000)
    progress = case["iteration"] / case["iterations"]
    out = method(view, prior=prior, prompt=prompt, progress=progress, streams=streams, state={})
    (gradient,) = torch.autograd.grad(out.loss, view.latents)
    # The code evaluates the network twice at t = 1 if s is t = 1, with no step between the two.
    inverted = case["timesteps_inverted"]
    assert prior.asked == [*(now for now, then in pairwise([*inverted, case["t"]]) if now != then), case["t"]]
    assert float(out.timesteps.float().mean()) == case["t"]
    assert difference(gradient, case) < 1e-4


@pytest.mark.parametrize("number", range(5))
def test_ism_timesteps_cover_lucid_dreamer_s_range(number, published, setting) -> None:
    case = published("ism_code")["cases"][number]
    prior, *_ = setting(case)
    generator = torch.Generator().manual_seed(0)
    progress = case["iteration"] / case["iterations"]
    drawn = [int(ISMCode()._path(prior, progress, generator, int)[-1]) - 1 for _ in range(8000)]
    assert [min(drawn), max(drawn) + 1] == case["range"]

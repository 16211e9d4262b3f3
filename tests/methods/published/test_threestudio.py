"""Ours against numbers from running threestudio's guidance on the same inputs (the golden files name the commit)."""

from __future__ import annotations

import pytest
import torch

from methods.distillation.sdi_code import SDICode
from methods.distillation.sds_threestudio import SDSThreestudio


@pytest.mark.parametrize("number", range(3))
def test_sds_update_is_threestudio_s(number, published, setting, difference) -> None:
    case = published("sds_threestudio")["cases"][number]
    prior, view, prompt, streams = setting(case)
    method = SDSThreestudio(text_guidance_scale=case["guidance_scale"])
    out = method(view, prior=prior, prompt=prompt, progress=0.0, streams=streams, state={})
    (gradient,) = torch.autograd.grad(out.loss, view.latents)
    assert float(out.timesteps.float().mean()) == sum(case["timesteps"]) / case["batch"]
    assert difference(gradient, case) < 1e-4


@pytest.mark.parametrize("number", range(5))
def test_sdi_target_loss_and_timesteps_are_threestudio_s(number, published, setting, difference) -> None:
    case = published("sdi_code")["cases"][number]
    prior, view, prompt, streams = setting(case)
    text_first = int(case["perp_neg_weights"] is None)  # the code's convention without Perp-Neg
    method = SDICode(
        gamma_fwd=case["guidance_scale"] + text_first,
        gamma_inv=case["inversion_guidance_scale"] + text_first,
        inversion_steps=case["inversion_n_steps"],
    )
    progress = case["global_step"] / case["trainer_max_steps"]
    out = method(view, prior=prior, prompt=prompt, progress=progress, streams=streams, state={})
    assert float(out.timesteps.float().mean()) == case["t"]
    assert prior.asked == case["timesteps_asked"]
    assert difference(out.target, case) < 1e-4
    assert float(out.loss.detach()) == pytest.approx(case["loss"], rel=1e-4)


def test_sdi_timesteps_are_annealed_as_threestudio_s(published, setting) -> None:
    golden = published("sdi_code")
    for step, t in golden["annealing"].items():
        prior, view, prompt, streams = setting(golden["cases"][0])
        method = SDICode(inversion_steps=1)
        out = method(view, prior=prior, prompt=prompt, progress=int(step) / 10000, streams=streams, state={})
        assert float(out.timesteps.float().mean()) == t


def test_sdi_draws_every_offset_below_a_stride(setting, published) -> None:
    prior, *_ = setting(published("sdi_code")["cases"][0])
    generator = torch.Generator().manual_seed(0)
    path = SDICode()._path(prior, 615, 4000, generator)
    assert path[:-1, 0].tolist() == [-99, *range(1, 615, 100)]
    assert set((path[-1] - 615).tolist()) == set(range(100))
    assert int(SDICode()._path(prior, 980, 4000, generator)[-1].max()) == 999


def test_defaults_are_those_of_the_published_configs(published) -> None:
    """With the harness' convention, SDS's 100 is 101 and SDI's ±7.5 (Perp-Neg on) is itself."""
    assert SDSThreestudio().guidance_scale == published("sds_threestudio")["cases"][0]["guidance_scale"] + 1
    case = published("sdi_code")["cases"][2]
    assert (SDICode().gamma_fwd, SDICode().gamma_inv) == (case["guidance_scale"], case["inversion_guidance_scale"])
    assert SDICode().inversion_steps == case["inversion_n_steps"]

"""Methods since 2024 against numbers from running their released code (the golden files name repository and commit)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from closed_form_world import GivenTimes

from methods.diffusion.sampling import denoise
from methods.distillation import clamp_update
from methods.distillation.asyncsd import AsyncSD
from methods.distillation.bridge import Bridge
from methods.distillation.bsd import BSD
from methods.distillation.cds import CDS
from methods.distillation.dsd import DSD
from methods.distillation.hifa import HiFA
from methods.distillation.ism_code import ISMCode
from methods.inversion.trajectory import Trajectory


def update(method: Any, setting: Any, progress: float, clamp: float | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradient that the loss has for the latents, and the timesteps."""
    prior, view, prompt, streams = setting
    out = method(view, prior=prior, prompt=prompt, progress=progress, streams=streams, state=method.start(prior))
    latents = view.latents
    if clamp is not None:
        clamp_update(latents, clamp)
    return torch.autograd.grad(out.loss, latents)[0], out.timesteps


@pytest.mark.parametrize("number", range(3))
def test_asyncsd_is_scale_dreamer_s(number: int, published, setting, difference) -> None:
    case = published("asyncsd")["cases"][number]
    ours, t = update(AsyncSD(), setting(case), case["progress"])
    assert difference(ours, case) < 1e-4
    assert case["min_step"] <= int(t.min()) <= int(t.max()) <= case["max_step"]


@pytest.mark.parametrize("number", range(3))
def test_dsd_is_its_authors(number: int, published, setting, difference) -> None:
    """Without Perp-Neg the code guides from the text, so that its 7.5 is 8.5 here and its 1 is 2."""
    case = published("dsd")["cases"][number]
    text_first = case["perp_neg_weights"] is None
    method = DSD(
        guidance_scale=7.5 + text_first,
        later_guidance_scale=1.0 + text_first,
        inversion=Trajectory(gamma=7.5 + text_first),
    )
    ours, t = update(method, setting(case), case["global_step"] / case["trainer_max_steps"])
    assert t.tolist() == [case["t"]]
    assert difference(ours, case) < 1e-4


@pytest.mark.parametrize("number", range(3))
def test_both_stages_of_the_bridge_are_its_authors(number: int, published, setting, difference) -> None:
    case = published("bridge")["cases"][number]
    method = Bridge(schedule=GivenTimes((case["t"],)))
    ours, _ = update(method, setting(case), 0.79 if case["phase"] == 1 else 0.81)
    assert difference(ours, case) < 1e-4


@pytest.mark.parametrize("number", range(3))
def test_bsd_is_placid_dreamer_s(number: int, published, setting, difference) -> None:
    case = published("bsd")["cases"][number]
    ours, _ = update(BSD(schedule=GivenTimes((case["t"],))), setting(case), 0.5)
    assert difference(ours, case) < 1e-4


@pytest.mark.parametrize("number", range(3))
def test_standard_bsd_is_placid_dreamer_s_other_path(number: int, published, setting, difference) -> None:
    """Its README's standard BSD, with the factor that the code has in place of the one that it is given."""
    case = published("bsd_standard")["cases"][number]
    method = BSD(standard=True, text=15.0, denoising=1.0, weight=0.1, schedule=GivenTimes((case["t"],)))
    ours, _ = update(method, setting(case), 0.5)
    assert difference(ours, case) < 1e-4


@pytest.mark.parametrize("number", range(3))
def test_cds_is_consistent3d_s(number: int, published, setting, difference) -> None:
    """In the last case with the clamp of its configuration, from 2 to 8 over all steps."""
    case = published("cds")["cases"][number]
    progress = case["global_step"] / case["max_steps"]
    clamp = None if case["grad_clip"] is None else 2.0 + (8.0 - 2.0) * progress
    assert clamp is None or clamp == pytest.approx(case["clip"]) == pytest.approx(case["largest"], rel=1e-6)
    ours, t = update(CDS(), setting(case), progress, clamp)
    assert float(t.float().mean()) == pytest.approx(case["mean_t"])
    assert difference(ours, case) < 1e-4


@pytest.mark.parametrize("number", range(3))
def test_tsm_is_dreamer_xl_s(number: int, published, setting, difference) -> None:
    """The code begins as LucidDreamer's does, so that it is a setting of ``ism-code``."""
    case = published("tsm")["cases"][number]
    method = ISMCode(interval=case["delta_t"] / 1000, trajectory_gamma=case["gamma"])
    ours, t = update(method, setting(case), case["iteration"] / case["iterations"])
    assert int(t[0]) == case["t"]
    assert difference(ours, case) < 1e-4


@pytest.mark.parametrize("number", range(3))
def test_hifa_s_four_steps_are_its_authors(number: int, published, setting, difference) -> None:
    """The path of ``denoise_steps``, without the noise that the released code adds on it by default."""
    case = published("hifa_denoise")["cases"][number]
    prior, view, prompt, _ = setting(case)
    times = torch.full((case["batch"],), case["t"])
    found = denoise(prior, view.clean, times, prompt, case["guidance_scale"], case["denoising_steps"])
    assert prior.asked == case["timesteps_asked"]
    assert difference(found.target, case) < 1e-4


@pytest.mark.parametrize("number", range(4))
def test_hifa_s_whole_step_is_its_authors(number: int, published, setting, difference) -> None:
    """The constant weight, the new noise in each denoising step, and the term on the image, which is the latents."""
    case = published("hifa")["cases"][number]
    prior, view, prompt, streams = setting(case)
    method = HiFA(
        guidance_scale=case["guidance_scale"],
        denoise_steps=case["denoising_steps"],
        eta=1.0,
        constant_weight=0.05,
        image_weight=case["lambda_rgb"],
    )
    progress = case["global_step"] / case["iters"]
    out = method(view, prior=prior, prompt=prompt, progress=progress, streams=streams, state={})
    assert prior.asked == case["timesteps_asked"]
    ours = torch.autograd.grad(out.loss, view.latents)[0] * case["batch"]  # the code's loss is a sum over the views
    assert difference(ours, case) < 1e-4

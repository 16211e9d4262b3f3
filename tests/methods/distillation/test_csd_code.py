"""CSD's released guidance: its coefficients over the optimisation, its weight and its normalisation."""

from __future__ import annotations

import pytest
import torch

from methods.cameras import evaluation_ring
from methods.contracts import Rendering, View, ViewPrompt
from methods.diffusion.schedules.linear import Linear
from methods.distillation.csd import CSD
from methods.distillation.csd_code import CSDCode
from methods.priors.closed_form.gaussian import GaussianPrior

HALF = Linear(0.5, 0.5)


def gradient(method, progress: float) -> torch.Tensor:
    prior, blank = GaussianPrior(clip_target=None), torch.ones(2, 1, 8, 8)
    latents = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    view = View(Rendering(None, blank, blank, latents=latents), evaluation_ring(2), prior)
    prompt = ViewPrompt(*(prior.embed([text] * 2) for text in ("a red car", "", "a blue duck")))
    streams = {name: torch.Generator().manual_seed(1) for name in ("timestep", "noise")}
    out = method(view, prior=prior, prompt=prompt, progress=progress, streams=streams, state={})
    return torch.autograd.grad(out.loss, latents)[0]


@pytest.mark.parametrize(("progress", "null", "negative"), [(0.0, 0.0, -1.0), (0.5, -0.25, -0.75), (1.0, -0.5, -0.5)])
def test_the_coefficients_move_from_the_negative_prompt_to_the_empty_one(progress, null, negative) -> None:
    weight = 1 - float(GaussianPrior().alphas_cumprod[500])
    expected = weight * gradient(CSD(null=null, negative=negative, schedule=HALF), progress)
    torch.testing.assert_close(gradient(CSDCode(schedule=HALF), progress), expected)


def test_a_normalised_update_has_a_norm_of_one() -> None:
    found = gradient(CSDCode(normalised=True, schedule=HALF), 0.5)
    plain = gradient(CSD(null=-0.25, negative=-0.75, schedule=HALF), 0.5)
    cosine = torch.nn.functional.cosine_similarity(found.flatten(), plain.flatten(), dim=0)
    assert found.norm() * 2 == pytest.approx(1.0, rel=1e-4)  # a loss is the mean over the two views
    assert cosine == pytest.approx(1.0, abs=1e-5)

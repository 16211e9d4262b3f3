"""CSD's family of updates: the members that have names, and what each costs."""

from __future__ import annotations

import pytest
import torch

from methods.contracts import Perpendicular
from methods.diffusion.guidance import add_noise, guided_noise
from methods.diffusion.schedules.uniform import Uniform
from methods.distillation.csd import CSD
from methods.distillation.sds import SDS


def test_sds_is_a_member_but_for_its_weight(prior, prompt, rgb, make_view, make_streams) -> None:
    gradients = []
    sds = {"positive": 7.0, "null": 1 - 7.0, "noise": -1.0}
    for method in (CSD(schedule=Uniform(0.3, 0.3), **sds), SDS(schedule=Uniform(0.3, 0.3), guidance_scale=7.0)):
        view = make_view(prior, rgb)
        out = method(view, prior=prior, prompt=prompt, progress=0.0, streams=make_streams(), state={})
        gradients.append(torch.autograd.grad(out.loss, view.latents)[0])
    torch.testing.assert_close(gradients[1], (1 - prior.alphas_cumprod[300]) * gradients[0])


def test_without_a_difference_between_the_texts_there_is_no_update(prior, prompt, rgb, make_view, make_streams) -> None:
    view = make_view(prior, rgb)
    same = prompt._replace(positive=prompt.null)
    out = CSD()(view, prior=prior, prompt=same, progress=0.0, streams=make_streams(), state={})
    assert not torch.autograd.grad(out.loss, view.latents)[0].any()
    assert out.target is None


@pytest.mark.parametrize(
    ("coefficients", "rows"),
    [({}, 2), ({"negative": -1.0, "null": 0.0}, 2), ({"negative": -1.0}, 3), ({"null": 0.0}, 1)],
)
def test_only_rows_that_count_are_evaluated(coefficients, rows, prior, prompt, rgb, make_view, make_streams) -> None:
    method = CSD(**coefficients)
    method(make_view(prior, rgb), prior=prior, prompt=prompt, progress=0.0, streams=make_streams(), state={})
    assert (prior.calls, prior.rows) == (1, 2 * rows)


def test_perp_neg_is_in_the_classifier_s_direction(prior, prompt, rgb, make_view, make_streams) -> None:
    """ε_y − ε_∅ with the perpendicular parts of the other views: guidance of scale 1, less ε_∅."""
    others = (prior.embed(["a green tree", "x"]), prior.embed(["a pink house", "y"]))
    asked = prompt._replace(perpendicular=Perpendicular(others, torch.tensor([[-0.5, -1.0], [0.0, -2.0]])))
    view = make_view(prior, rgb)
    method = CSD(schedule=Uniform(0.3, 0.3))
    out = method(view, prior=prior, prompt=asked, progress=0.0, streams=make_streams(), state={})
    noisy, t = add_noise(prior, view.clean, out.noise, out.timesteps), out.timesteps
    expected = guided_noise(prior, noisy, t, asked, 1.0) - prior.predict_noise(noisy, t, prompt.null)
    (gradient,) = torch.autograd.grad(out.loss, view.latents)
    torch.testing.assert_close(gradient * 2, expected, rtol=1e-4, atol=1e-5)

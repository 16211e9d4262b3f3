"""The sampler's path as a source of noise; DSD's equation is in tests/methods/distillation/test_rivals.py."""

from __future__ import annotations

import pytest
import torch

from methods.diffusion.guidance import add_noise, guided_prediction
from methods.diffusion.sampling import ddim_walk
from methods.inversion.fixed import first_noise
from methods.inversion.trajectory import Trajectory


def test_with_its_kappa_the_path_s_own_image_stays_where_it_is(infer, prior, prompt, make_streams) -> None:
    """x̂0 at a point of the path and κ together are that point, whose prediction is κ again (eq. 8)."""
    noise, t = first_noise(torch.zeros(2, 3, 16, 16), make_streams()["noise"]), torch.tensor([480, 480])
    path = torch.tensor([999, 899, 799, 699, 599, 499, 480])[:, None].expand(-1, 2)
    noisy = ddim_walk(prior, noise, path, prompt, 7.5).noisy
    image = guided_prediction(prior, noisy, t, prompt, 7.5).target
    kappa = infer(Trajectory(), image, t, prior=prior, prompt=prompt, streams=make_streams())
    again = guided_prediction(prior, add_noise(prior, image, kappa, t), t, prompt, 7.5).noise
    torch.testing.assert_close(again, kappa, rtol=1e-4, atol=1e-3)


def test_at_the_start_it_is_the_prediction_for_the_run_s_noise(infer, prior, prompt, make_streams) -> None:
    image, t = torch.zeros(2, 3, 16, 16), torch.tensor([999, 999])
    before = prior.calls
    kappa = infer(Trajectory(), image, t, prior=prior, prompt=prompt, streams=make_streams())
    assert prior.calls - before == 1
    noise = first_noise(image, make_streams()["noise"])
    assert torch.equal(kappa, guided_prediction(prior, noise, t, prompt, 7.5).noise)


def test_it_does_not_depend_on_the_image_nor_on_the_step(infer, prior, prompt, make_streams) -> None:
    streams, t = make_streams(), torch.tensor([300, 620])
    call = {"prior": prior, "prompt": prompt, "streams": streams}
    first = infer(Trajectory(), torch.zeros(2, 3, 16, 16), t, **call)
    torch.randn(5, generator=streams["noise"])
    assert torch.equal(first, infer(Trajectory(), torch.ones(2, 3, 16, 16), t, **call))


def test_steps_that_are_no_number_are_named() -> None:
    with pytest.raises(ValueError, match="steps: 0 is not a positive number of steps"):
        Trajectory(steps=0)

"""The timesteps that ISM's algorithm prescribes, and figure 14 of SDI; its equation is in test_closed_form.py."""

from __future__ import annotations

import pytest
import torch

from methods.diffusion.schedules.linear import Linear
from methods.diffusion.schedules.uniform import Uniform
from methods.distillation.ism import ISM


@pytest.mark.parametrize(
    ("progress", "largest", "interval"), [(0.0, 980, 100), (0.15, 740, 75), (0.3, 500, 50), (1.0, 500, 50)]
)
def test_timesteps_and_interval_fall_over_the_warm_up(progress, largest, interval, prior) -> None:
    paths = [ISM()._path(prior, progress, torch.Generator().manual_seed(seed)).tolist() for seed in range(300)]
    assert max(path[-1] for path in paths) <= largest
    assert max(path[-1] for path in paths) > largest - 40
    assert min(path[-1] for path in paths) >= 20
    for path in paths:
        assert path[0] == 0
        assert path[-1] - path[-2] == min(interval, path[-1])
        assert all(step <= 200 for step in torch.tensor(path).diff().tolist())


def test_with_all_of_figure_14_s_changes_it_is_sdi_s_update(prior, prompt, rgb, make_view, make_streams) -> None:
    """Subtracting the whole noise of an inversion makes the update λ·(x − x̂0), with a falling t."""
    method = ISM(schedule=Linear(0.1, 0.98), interval_warm_up=0.0, gamma_inv=-7.5, full_noise=True, negative_prompt="")
    view = make_view(prior, rgb)
    neutral = prompt._replace(negative=prompt.null)
    out = method(view, prior=prior, prompt=neutral, progress=0.5, streams=make_streams(), state={})
    (gradient,) = torch.autograd.grad(out.loss, view.latents)
    assert float(out.timesteps.float().mean()) == 540
    torch.testing.assert_close(gradient, 0.1 * (view.latents - out.target).detach() / 2, rtol=1e-4, atol=1e-5)


def test_a_conditional_inversion_differs_from_ism_s_own(prior, prompt, rgb, make_view, make_streams) -> None:
    def update(gamma_inv: float) -> torch.Tensor:
        view = make_view(prior, rgb)
        method = ISM(schedule=Uniform(0.5, 0.5), gamma_inv=gamma_inv)
        out = method(view, prior=prior, prompt=prompt, progress=1.0, streams=make_streams(), state={})
        return torch.autograd.grad(out.loss, view.latents)[0]

    assert torch.equal(update(0.0), update(0.0))
    assert not torch.allclose(update(0.0), update(-7.5))

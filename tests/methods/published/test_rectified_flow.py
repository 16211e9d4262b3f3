"""RFDS and RFDS-Rev against numbers from running their released code (the golden file names repository and commit)."""

from __future__ import annotations

import pytest
import torch
from closed_form_world import GivenTimes
from torch import Tensor

from methods.conditioning import Conditioning
from methods.diffusion.noise_levels import flow_point, flow_times
from methods.diffusion.schedules.flow_time import FlowTime
from methods.distillation import methods


class TinyFlow:
    """The tiny UNet as Stable Diffusion 3's network is used: its output is the velocity at a time of shift 3.

    Its table has that model's thousand times, the last of which, pure noise, is moved to the one before it.
    """

    def __init__(self, prior) -> None:
        self._prior = prior
        u = torch.arange(1, 1001, dtype=torch.float64) / 1000
        s = 3 * u / (1 + 2 * u)
        s[-1] = s[-2]
        self.alphas_cumprod = ((1 - s) ** 2 / ((1 - s) ** 2 + s**2)).float()
        self.asked: list[list[float]] = []

    def __getattr__(self, name: str):
        return getattr(self._prior, name)

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        point = flow_point(latents, self.alphas_cumprod[timesteps][:, None, None, None])
        times = 1000 * point.time.flatten()
        self.asked.append(times.tolist())
        return point.noise(self.unet(point.latents, times, conditioning.sequence).sample)


@pytest.mark.parametrize("number", range(4))
def test_the_update_is_that_of_the_released_code(number: int, published, setting, difference) -> None:
    """Their loss is a mean over all elements of the batch, divided by the batch once more, of a square without a half.

    That of RFDS is also multiplied by a number that is drawn at every step, which the golden file has.
    """
    case = published("rfds")["cases"][number]
    _, view, prompt, streams = made = setting(case)
    prior = TinyFlow(made.prior)
    # their list of times falls, so that its entry number i is our timestep 999 − i
    method = methods[case["method"]](schedule=GivenTimes(tuple(999 - i for i in case["index"])))
    out = method(view, prior=prior, prompt=prompt, progress=0.5, streams=streams, state=method.start(prior))
    (ours,) = torch.autograd.grad(out.loss, view.latents)
    assert [times[: case["batch"]] for times in prior.asked] == [
        pytest.approx(times[: case["batch"]], abs=1e-3) for times in case["asked"]
    ]
    assert difference(case["random_weight"] * ours * 2 / ours.numel(), case) < 1e-4


def test_times_are_drawn_in_the_range_of_the_released_code(published, setting) -> None:
    case = published("rfds")["cases"][0]
    prior = TinyFlow(setting(case).prior)
    schedule = methods["rfds"]().schedule
    assert schedule == FlowTime(low=0.02, high=0.7, shift=3.0)
    drawn = flow_times(prior.alphas_cumprod[schedule(prior, 0.0, 20_000, torch.Generator().manual_seed(0))])
    assert [float(drawn.min()), float(drawn.max())] == pytest.approx(case["times_within"], abs=1e-6)
    assert (case["min_step"], case["max_step"]) == (300, 980)

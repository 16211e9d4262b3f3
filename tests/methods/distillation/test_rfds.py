"""RFDS and RFDS-Rev on a rectified flow whose velocity is known, written out in numpy as their code has it.

Nothing here is in the variance-preserving form: z_s = (1 − s)·x + s·ε, and the network's output is the velocity ε − x.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from closed_form_world import GivenNoise, GivenTimes

from methods.cameras import evaluation_ring
from methods.conditioning import Conditioning
from methods.contracts import Distillation, Rendering, View, ViewPrompt
from methods.diffusion.noise_levels import flow_levels
from methods.distillation import methods
from methods.distillation.rfds_rev import RFDSRev
from methods.distillation.sds import SDS
from methods.inversion.fixed_point import FixedPoint
from methods.priors.closed_form.flow import GaussianFlow

TOLERANCE = 1e-9
SHAPE = (3, 3, 16, 16)
DEVIATION = 0.3
TIMES = (40, 510, 903)
BETAS = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
ALPHAS = np.cumprod(1 - BETAS)[list(TIMES)][:, None, None, None]
#: (1 − s)/s = √(ᾱ/(1 − ᾱ)), solved for s.
S = 1 / (1 + np.sqrt(ALPHAS / (1 - ALPHAS)))


class Flow:
    """The inputs of one comparison, and the exact velocity of images around a colour."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.x = rng.uniform(-1, 1, SHAPE)
        self.noise = rng.standard_normal(SHAPE)
        self.scale = float(rng.uniform(-5, 100))
        self.y, self.null, self.bad = rng.uniform(-1, 1, (3, 3, 1, 3))

    def z(self, noise: np.ndarray) -> np.ndarray:
        return (1 - S) * self.x + S * noise

    def v(self, z: np.ndarray, text: np.ndarray) -> np.ndarray:
        """E[ε] − E[x] given z, for x ~ N(text, d²)."""
        mean = text[:, 0, :, None, None]
        gain = (1 - S) * DEVIATION**2 / ((1 - S) ** 2 * DEVIATION**2 + S**2)
        image = mean + gain * (z - (1 - S) * mean)
        return (z - (1 - S) * image) / S - image

    def cfg(self, z: np.ndarray) -> np.ndarray:
        away = self.v(z, self.bad)
        return away + self.scale * (self.v(z, self.y) - away)

    def run(self, method: Any) -> tuple[np.ndarray, Distillation]:
        """The update: the gradient that the method's loss has for the latents, times the number of views."""
        prior = GaussianFlow(deviation=DEVIATION, clip_target=None)
        prior.alphas_cumprod = flow_levels()
        rgb = torch.from_numpy((self.x + 1) / 2).requires_grad_()
        view = View(Rendering(rgb, rgb[:, :1], rgb[:, :1]), evaluation_ring(3), prior)
        prompt = ViewPrompt(*(Conditioning(torch.from_numpy(text)) for text in (self.y, self.null, self.bad)))
        streams = {"timestep": torch.Generator().manual_seed(5), "noise": torch.Generator().manual_seed(6)}
        out = method(view, prior=prior, prompt=prompt, progress=0.5, streams=streams, state=method.start(prior))
        return torch.autograd.grad(out.loss, view.latents)[0].numpy() * 3, out


def size(values: np.ndarray) -> np.ndarray:
    """The 2-norm of each view."""
    return np.sqrt((values**2).sum(axis=(1, 2, 3)))


@pytest.mark.parametrize("seed", range(4))
def test_rfds_is_the_error_of_the_velocity(seed: int) -> None:
    """v̂ − (ε − x), from |(ε − x) − v̂|² (the released code's loss)."""
    flow = Flow(seed)
    rfds = methods["rfds"](guidance_scale=flow.scale, schedule=GivenTimes(TIMES), inversion=GivenNoise(flow.noise))
    ours, out = flow.run(rfds)
    expected = flow.cfg(flow.z(flow.noise)) - (flow.noise - flow.x)
    assert out.timesteps.tolist() == list(TIMES)
    assert (size(ours - expected) <= TOLERANCE * size(expected)).all()


@pytest.mark.parametrize("seed", range(4))
def test_rfds_rev_first_replaces_the_noise_by_the_flow_s_own(seed: int) -> None:
    """κ = ε + (1 − s)·(v_y(z_s) + x − ε), then RFDS with it."""
    flow = Flow(seed)
    ours, out = flow.run(methods["rfds-rev"](guidance_scale=flow.scale, schedule=GivenTimes(TIMES)))
    first = torch.randn(SHAPE, generator=torch.Generator().manual_seed(6)).double().numpy()
    kappa = first + (1 - S) * (flow.v(flow.z(first), flow.y) + flow.x - first)
    expected = flow.cfg(flow.z(kappa)) - (kappa - flow.x)
    assert out.noise is not None
    assert (size(out.noise.numpy() - kappa) <= TOLERANCE * size(kappa)).all()
    assert (size(ours - expected) <= TOLERANCE * size(expected)).all()


def test_rfds_rev_is_sds_with_one_iteration_of_the_fixed_point() -> None:
    """To the bit, on a prompt without a negative text."""
    flow = Flow(0)
    flow.bad = flow.null
    times = GivenTimes(TIMES)
    ours, _ = flow.run(methods["rfds-rev"](schedule=times))
    fixed_point = FixedPoint(gamma=1.0, iterations=1)
    as_sds, _ = flow.run(SDS(guidance_scale=100.0, schedule=times, inversion=fixed_point, weight="velocity"))
    assert np.array_equal(ours, as_sds)


def test_only_scales_that_guide_are_calibrated(prior) -> None:
    calibrated = RFDSRev().calibrated(prior)
    assert calibrated.guidance_scale == prior.guidance_scale
    assert calibrated.negative_prompt == prior.negative_prompt
    assert calibrated.inversion == FixedPoint(gamma=1.0, iterations=1)
    assert FixedPoint().calibrated(prior).gamma == prior.guidance_scale


def test_a_wrong_weight_is_named() -> None:
    with pytest.raises(ValueError, match=r"weight: 'sigma' is not one of sigma_squared, velocity"):
        SDS(weight="sigma")  # type: ignore[arg-type]

"""Noise levels against diffusers' schedulers, and a flow's steps against DDIM's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler

from methods.contracts import ViewPrompt
from methods.diffusion.guidance import add_noise, guided_noise
from methods.diffusion.noise_levels import flow_levels, flow_point, flow_times, log_snr, scaled_linear_levels
from methods.diffusion.sampling import ddim_sample, ddim_walk
from methods.priors.closed_form.flow import GaussianFlow


def test_stable_diffusion_s_table_is_diffusers_own() -> None:
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    torch.testing.assert_close(scaled_linear_levels().float(), scheduler.alphas_cumprod)


def test_a_timestep_means_the_same_noise_under_a_flow_up_to_where_methods_go() -> None:
    flow, diffusion = flow_levels(), scaled_linear_levels()
    assert torch.equal(flow[:980], diffusion[:980])
    assert bool((flow.diff() < 0).all())
    assert float(flow_times(flow)[-1]) == pytest.approx(0.999)
    falls = log_snr(flow)[979:].diff()
    torch.testing.assert_close(falls, falls[0].expand(len(falls)))


def test_a_flow_point_is_the_straight_line_from_image_to_noise() -> None:
    prior = GaussianFlow()
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(3, 3, 16, 16, generator=generator) for _ in range(2))
    times = torch.tensor([0, 500, 999])
    point = flow_point(add_noise(prior, clean, noise, times), prior.alphas_cumprod[times][:, None, None, None])
    torch.testing.assert_close(point.latents, (1 - point.time) * clean + point.time * noise)
    torch.testing.assert_close(point.noise(noise - clean), noise, rtol=1e-4, atol=1e-5)


@pytest.fixture
def prior() -> GaussianFlow:
    prior = GaussianFlow(clip_target=None)
    prior.alphas_cumprod = flow_levels()
    return prior


@pytest.fixture
def prompt(prior: GaussianFlow) -> ViewPrompt:
    null = prior.null(2)
    return ViewPrompt(prior.embed(["a red car", "a blue duck"]), null, null)


@pytest.mark.parametrize("scale", [1.0, 7.5])
def test_ddim_in_the_variance_preserving_form_is_the_flow_s_euler_step(prior, prompt, scale) -> None:
    """diffusers' sampler gets the velocity at z_s and steps from z_s to z_s'; ours walks x_t by DDIM."""
    path = torch.tensor([999, 979, 700, 430, 60, 5])
    x = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ours = ddim_walk(prior, x, path[:, None].expand(-1, 2), prompt, scale).noisy

    scheduler = FlowMatchEulerDiscreteScheduler()
    sigmas = flow_times(prior.alphas_cumprod[path]).numpy().astype(np.float64)
    scheduler.set_timesteps(sigmas=sigmas.tolist())
    scheduler.sigmas = torch.cat([torch.from_numpy(sigmas), torch.zeros(1)])  # diffusers rounds them to float32
    scale_at = lambda t: prior.alphas_cumprod[t].sqrt() + (1 - prior.alphas_cumprod[t]).sqrt()  # noqa: E731
    z = x / scale_at(999)
    for number, t in enumerate(path[:-1].tolist()):
        noise = guided_noise(prior, z * scale_at(t), torch.tensor([t, t]), prompt, scale)
        clean = (z - sigmas[number] * noise) / (1 - sigmas[number])
        z = scheduler.step(noise - clean, scheduler.timesteps[number], z.double()).prev_sample.double()
    torch.testing.assert_close(ours / scale_at(5), z, rtol=1e-5, atol=1e-5)  # diffusers steps in float32


def test_a_flow_is_sampled_from_its_noisiest_timestep(prior, prompt) -> None:
    asked = []
    predict = prior.predict_noise
    prior.predict_noise = lambda latents, timesteps, text: (
        asked.append(int(timesteps[0])) or predict(latents, timesteps, text)
    )
    noise = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    images = ddim_sample(prior, noise, prompt, 1.0, steps=50)
    assert asked == np.linspace(999, 0, 50).round().tolist()
    mean = prompt.positive.sequence[:, 0]
    torch.testing.assert_close(images.mean(dim=(2, 3)).float(), mean, rtol=0, atol=0.08)
    assert float(images.std(dim=(2, 3)).mean()) == pytest.approx(prior.deviation, rel=0.12)  # of 50 steps

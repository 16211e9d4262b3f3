"""The autoencoder as a codec, against diffusers' own posterior."""

from __future__ import annotations

import pytest
import torch

from methods.priors.pipeline.vae_codec import VaeCodec


@pytest.fixture
def rgb() -> torch.Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_factor_and_channels_are_the_networks(stable_diffusion, rgb) -> None:
    codec = VaeCodec(stable_diffusion.vae)
    assert (codec.factor, codec.channels) == (4, 4)
    latents = codec.encode(rgb)
    assert latents.shape == (3, codec.channels, 32 // codec.factor, 32 // codec.factor)
    assert codec.decode(latents).shape == rgb.shape
    assert codec.bound(latents) is latents


def test_a_sample_has_the_posterior_s_mean_and_deviation(stable_diffusion, rgb) -> None:
    """Nearly equal images have different noise, with the deviation that diffusers gives."""
    generator = torch.Generator().manual_seed(2)
    images = rgb[:1] + 1e-6 * torch.rand(400, 3, 32, 32, generator=generator)
    codec = VaeCodec(stable_diffusion.vae, "sample")
    drawn = torch.cat([codec.encode(some) for some in images.split(100)]) / 0.18215
    posterior = stable_diffusion.vae.encode(2 * rgb[:1] - 1).latent_dist
    standard = (drawn - posterior.mean) / posterior.std
    assert float(standard.mean().abs()) < 0.02
    assert float((standard.std() - 1).abs()) < 0.02
    assert float(standard.std(dim=0).min()) > 0.8  # no latent has the same noise in all


def test_a_sample_depends_on_its_image_alone(stable_diffusion, rgb) -> None:
    codec = VaeCodec(stable_diffusion.vae, "sample")
    first = codec.encode(rgb)
    codec.encode(rgb.flip(0))
    assert torch.equal(codec.encode(rgb), first)
    torch.testing.assert_close(codec.encode(rgb[1:2]), first[1:2])


def test_a_sample_lets_gradients_through_mean_and_deviation(stable_diffusion, rgb) -> None:
    """Against the reparametrisation written out with the same noise held constant."""
    image = rgb[:1].requires_grad_()
    sampled = VaeCodec(stable_diffusion.vae, "sample").encode(image)
    posterior = stable_diffusion.vae.encode(2 * image - 1).latent_dist
    noise = ((sampled / 0.18215 - posterior.mean) / posterior.std).detach()
    expected = 0.18215 * (posterior.mean + posterior.std * noise)
    ours, theirs = (torch.autograd.grad(value.square().sum(), image)[0] for value in (sampled, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)
    mean = 0.18215 * stable_diffusion.vae.encode(2 * image - 1).latent_dist.mean
    (without,) = torch.autograd.grad(mean.square().sum(), image)
    assert not torch.allclose(ours, without, rtol=1e-2)

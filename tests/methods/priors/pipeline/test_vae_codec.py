"""The autoencoder as a codec, against diffusers' own posterior."""

from __future__ import annotations

import pytest
import torch
from tiny_pipelines import autoencoder, sdxl, tiny_autoencoder

from methods.priors.pipeline.diffusers_prior import DiffusersPrior
from methods.priors.pipeline.half_precision import without_overflow
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


def test_scale_and_shift_are_those_of_the_configuration(rgb) -> None:
    """As in diffusers' pipelines of flows: encoded latents lose the shift and are scaled, decoded ones get it back."""
    vae = autoencoder(scaling_factor=1.5305, shift_factor=0.0609)
    codec = VaeCodec(vae)
    latents = codec.encode(rgb)
    torch.testing.assert_close(latents, (vae.encode(2 * rgb - 1).latent_dist.mode() - 0.0609) * 1.5305)
    torch.testing.assert_close(codec.decode(latents), vae.decode(latents / 1.5305 + 0.0609).sample / 2 + 0.5)


@pytest.mark.parametrize("posterior", ["mode", "sample"])
def test_the_tiny_autoencoder_is_a_codec_too(rgb, posterior) -> None:
    vae = tiny_autoencoder(scaling_factor=2.0, shift_factor=0.1)
    codec = VaeCodec(vae, posterior)
    assert (codec.factor, codec.channels) == (4, 4)
    image = rgb.requires_grad_()
    latents, theirs = codec.encode(image), 2 * (vae.encode(2 * image - 1).latents - 0.1)
    torch.testing.assert_close(latents, theirs)
    gradient, expected = (torch.autograd.grad(value.square().sum(), image)[0] for value in (latents, theirs))
    torch.testing.assert_close(gradient, expected)
    torch.testing.assert_close(codec.decode(theirs), vae.decode(theirs / 2 + 0.1).sample / 2 + 0.5)
    assert without_overflow(vae.bfloat16(), 32).dtype == torch.bfloat16


def test_a_pipeline_with_the_tiny_autoencoder_is_a_prior(tmp_path) -> None:
    pipe = sdxl(tmp_path / "xl", vae=tiny_autoencoder())
    prior, start = DiffusersPrior(tmp_path / "xl"), torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert (prior.resolution, prior.latent_shape) == (32, (4, 8, 8))
    image = pipe.image_processor.postprocess(pipe.vae.decode(start).sample, output_type="pt")
    torch.testing.assert_close(prior.decode(start), image)


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

"""The toybox's prior, on ground-truth images of objects that were held out of its training."""

from __future__ import annotations

import pytest
import torch

from methods.cameras import evaluation_ring
from methods.diffusion.guidance import add_noise
from methods.priors.loading import load_prior
from prompts.toybox import VIEWS, ToyObject, all_objects, is_held_out, render_object, with_article


@pytest.fixture(scope="module")
def images() -> tuple[list[ToyObject], torch.Tensor]:
    """Held-out objects, one of each kind if there is one, from the side."""
    toys = list({toy.kind: toy for toy in all_objects() if is_held_out(toy)}.values())
    rays = evaluation_ring(4).rays(128)
    return toys, torch.stack([render_object(toy, rays.origins[1], rays.directions[1]).over(0.8) for toy in toys])


def test_an_image_s_own_caption_explains_it_best(images) -> None:
    """Noise is predicted better under the right caption than under the next object's, for nearly every object."""
    toys, rgb = images
    prior = load_prior("toybox")
    texts = [f"{with_article(toy.name)}, {VIEWS[1]}" for toy in toys]
    own, other = prior.embed(texts), prior.embed([*texts[1:], texts[0]])
    latents = prior.encode(rgb)
    errors = torch.zeros(2, len(toys))
    for t in (400, 550, 700):
        timesteps = torch.full((len(toys),), t)
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(t))
        noisy = add_noise(prior, latents, noise, timesteps)
        for row, conditioning in enumerate((own, other)):
            wrong = prior.predict_noise(noisy, timesteps, conditioning) - noise
            errors[row] += wrong.square().mean(dim=(1, 2, 3))
    assert float((errors[0] < errors[1]).float().mean()) >= 0.9


def test_the_codec_preserves_images(images) -> None:
    _, rgb = images
    prior = load_prior("toybox")
    error = (prior.decode(prior.encode(rgb)) - rgb).square().mean()
    assert float(-10 * torch.log10(error)) > 28  # dB

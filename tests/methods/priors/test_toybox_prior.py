"""The toybox's priors, on ground-truth images of objects that were held out of its training."""

from __future__ import annotations

import pytest
import torch

from methods.cameras import evaluation_ring
from methods.diffusion.guidance import add_noise
from methods.priors import priors
from methods.priors.loading import folder_of, load_prior
from methods.weights import read_card
from prompts.toybox import VIEWS, ToyObject, all_objects, is_held_out, render_object, with_article

TOYBOX = ["toybox", "toybox-flow", "toybox-latent"]


def test_every_prior_of_the_toybox_is_tested_here() -> None:
    assert [name for name in priors.names() if name.startswith("toybox")] == TOYBOX


@pytest.fixture(scope="module")
def images() -> tuple[list[ToyObject], torch.Tensor]:
    """Held-out objects, one of each kind if there is one, from the side."""
    toys = list({toy.kind: toy for toy in all_objects() if is_held_out(toy)}.values())
    rays = evaluation_ring(4).rays(128)
    return toys, torch.stack([render_object(toy, rays.origins[1], rays.directions[1]).over(0.8) for toy in toys])


@pytest.mark.parametrize("name", TOYBOX)
def test_an_image_s_own_caption_explains_it_best(images, name) -> None:
    """Noise is predicted better under the right caption than under the next object's, for nearly every object."""
    toys, rgb = images
    prior = load_prior(name)
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


@pytest.mark.parametrize("name", TOYBOX)
def test_the_codec_preserves_images(images, name) -> None:
    _, rgb = images
    prior = load_prior(name)
    error = (prior.decode(prior.encode(rgb)) - rgb).square().mean()
    assert float(-10 * torch.log10(error)) > 28  # dB


@pytest.mark.parametrize("name", TOYBOX)
def test_samples_of_held_out_prompts_were_recognised_when_it_was_calibrated(name) -> None:
    """The classifier that judged them is not shipped; its figures are on the card."""
    card = read_card(folder_of(name))
    assert card["held_out"]["kind_and_colour"] >= 0.85
    assert card["guidance_scale"] in (1.5, 2.0, 3.0, 4.0, 6.0)


@pytest.mark.parametrize(("name", "is_linear"), [("toybox", True), ("toybox-flow", True), ("toybox-latent", False)])
def test_only_the_learnt_codec_bends_gradients(images, name, is_linear) -> None:
    """The gradient of a latent with respect to the image is the same for every image under the patches' codec alone."""
    _, rgb = images
    prior = load_prior(name)
    direction = torch.randn(prior.encode(rgb[:1]).shape, generator=torch.Generator().manual_seed(0))
    gradients = []
    for index in (0, 1):
        image = rgb[index : index + 1].clone().requires_grad_()
        gradients.append(torch.autograd.grad((prior.encode(image) * direction).sum(), image)[0].flatten())
    alike = float(torch.nn.functional.cosine_similarity(*gradients, dim=0))
    assert (alike > 0.9999) == is_linear


def test_the_diffusion_model_and_the_flow_see_nearly_the_same_image_behind_the_same_noise(images) -> None:
    """Two networks that were trained apart, with different objectives, on the same images."""
    toys, rgb = images
    noisy, texts = {}, [f"{with_article(toy.name)}, {VIEWS[1]}" for toy in toys]
    times = torch.full((len(toys),), 500)
    for name in ("toybox", "toybox-flow"):
        prior = load_prior(name)
        latents = prior.encode(rgb)
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
        noise = prior.predict_noise(add_noise(prior, latents, noise, times), times, prior.embed(texts))
        noisy[name] = noise.flatten(1)
    alike = torch.nn.functional.cosine_similarity(noisy["toybox"], noisy["toybox-flow"])
    assert float(alike.min()) > 0.95

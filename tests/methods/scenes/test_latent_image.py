"""The scene of latents: the view's latents are the parameter, and colours are decoded only when asked for."""

from __future__ import annotations

import pytest
import torch

from methods.cameras import evaluation_ring
from methods.contracts import View, ViewPrompt
from methods.distillation.sdi import SDI
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.priors.loading import load_prior
from methods.scenes.latent_image import LatentImage, LatentImageScene


class Counting(GaussianPrior):
    """Counts what passes through the codec."""

    coded = 0

    def encode(self, rgb):
        self.coded += 1
        return super().encode(rgb)

    def decode(self, latents):
        self.coded += 1
        return super().decode(latents)


def view_of(scene: LatentImage, prior: GaussianPrior, views: int, resolution: int = 16) -> View:
    cameras = evaluation_ring(views)
    rendering = scene.render(cameras, resolution=resolution, background=torch.zeros(views, 3))
    return View(rendering, cameras, prior)


def build(prior: GaussianPrior, **settings: float) -> LatentImageScene:
    return LatentImage(**settings).build(prior, torch.Generator().manual_seed(0))


def test_the_latents_of_a_view_are_the_parameter() -> None:
    prior = Counting()
    scene = build(prior)
    prior.coded = 0
    view = view_of(scene, prior, 2)
    assert view.latents.data_ptr() == scene.values.data_ptr()
    assert torch.equal(view.latents, scene.values.expand(2, -1, -1, -1))
    weight = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    (view.latents * weight).sum().backward()
    torch.testing.assert_close(scene.values.grad, weight.sum(dim=0, keepdim=True))
    assert prior.coded == 0


def test_a_step_of_a_method_neither_encodes_nor_decodes(make_streams) -> None:
    prior = Counting()
    scene = build(prior)
    prior.coded = 0
    prompt = ViewPrompt(prior.embed(["a red car"]), prior.embed([""]), prior.embed([""]))
    out = SDI()(view_of(scene, prior, 1), prior=prior, prompt=prompt, progress=0.5, streams=make_streams(), state={})
    out.loss.backward()
    torch.testing.assert_close(scene.values.grad, scene.values.detach() - out.target, atol=1e-5, rtol=1e-5)
    assert prior.coded == 0


@pytest.mark.parametrize("resolution", [16, 24])
def test_colours_are_the_decoded_latents_at_the_render_s_resolution(resolution) -> None:
    prior = GaussianPrior()
    scene = build(prior, initial_std=0.0)
    scene.values.data += torch.tensor([-0.5, 0.0, 0.5])[:, None, None]
    view = view_of(scene, prior, 2, resolution)
    expected = torch.tensor([0.25, 0.5, 0.75])[:, None, None].expand(2, 3, resolution, resolution)
    torch.testing.assert_close(view.rgb, expected)
    assert view.rendering.opacity.shape == (2, 1, resolution, resolution)


def test_the_shape_is_the_prior_s() -> None:
    assert build(GaussianPrior()).values.shape == (1, 3, 16, 16)
    toybox = load_prior("toybox")
    scene = LatentImage(initial_std=0.7).build(toybox, torch.Generator().manual_seed(0))
    assert scene.values.shape == (1, 16, 16, 16)
    assert float(scene.values.detach().std()) == pytest.approx(0.7, rel=0.05)
    assert view_of(scene, toybox, 1, 64).rgb.shape == (1, 3, 64, 64)


@pytest.mark.parametrize(("field", "value"), [("initial_std", -1.0), ("learning_rate", 0.0)])
def test_bad_settings_are_named(field, value) -> None:
    with pytest.raises(ValueError, match=f"{field}: {value} is not"):
        build(GaussianPrior(), **{field: value})

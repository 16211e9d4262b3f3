"""The view of a step: what is asked of it first does not decide what is kept."""

from __future__ import annotations

import torch

from methods.cameras import evaluation_ring
from methods.contracts import Rendering, View


def _view(prior, **images: torch.Tensor) -> View:
    blank = torch.ones(2, 1, 16, 16)
    return View(Rendering(images.get("rgb"), blank, blank, latents=images.get("latents")), evaluation_ring(2), prior)


def test_latents_keep_their_gradient_although_a_strategy_asked_first(prior, rgb) -> None:
    view = _view(prior, rgb=rgb)
    with torch.no_grad():
        assert not view.clean.requires_grad
    view.latents.sum().backward()
    torch.testing.assert_close(rgb.grad, torch.full_like(rgb, 2.0))


def test_a_decoded_image_keeps_its_gradient_although_it_was_looked_at_without_one(prior) -> None:
    latents = torch.zeros(2, 3, 16, 16, requires_grad=True)
    view = _view(prior, latents=latents)
    with torch.no_grad():
        assert view.rgb.shape == (2, 3, 16, 16)
    view.rgb.sum().backward()
    torch.testing.assert_close(latents.grad, torch.full_like(latents, 0.5))

"""The latent prior's autoencoder on a few made-up images: its loss, its scale and its error."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from bench.training.autoencoder import Reconstruction, deviation_of_latents, network, peak_signal_to_noise
from bench.training.dataset import ToyImages


@pytest.fixture
def images() -> ToyImages:
    rng = np.random.default_rng(0)
    count = 1020
    zeros = np.zeros(count)
    held_out = np.arange(count) >= 810
    return ToyImages(rng.integers(0, 256, (count, 64, 64, 4)).astype(np.uint8), zeros, zeros, zeros, zeros, held_out)


class _Plain:
    """An autoencoder whose latents are averages of 4 × 4 pixels, and whose images are grey."""

    def encode(self, rgb):
        latents = torch.nn.functional.avg_pool2d(rgb, 4)
        return type("Encoded", (), {"latent_dist": type("Posterior", (), {"mean": latents})})

    def decode(self, latents):
        return type("Decoded", (), {"sample": torch.zeros(len(latents), 3, 64, 64)})


def test_the_loss_of_a_step_is_the_same_each_time_and_falls_with_training(images) -> None:
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        autoencoder = network()
    loss = Reconstruction(images, batch=2, seed=0)
    first = loss(autoencoder, 3)
    assert float(first.detach()) == float(loss(autoencoder, 3).detach())
    assert float(first.detach()) != float(loss(autoencoder, 4).detach())
    optimiser = torch.optim.Adam(autoencoder.parameters(), 1e-3)
    for _ in range(5):
        optimiser.zero_grad()
        loss(autoencoder, 3).backward()
        optimiser.step()
    assert float(loss(autoencoder, 3).detach()) < float(first.detach())


class _Shifted:
    """An autoencoder that returns its images with a constant added to each colour."""

    def __init__(self, *shift: float) -> None:
        self.shift = torch.tensor(shift)[:, None, None]

    def encode(self, rgb):
        self.rgb = rgb
        return type(
            "Encoded", (), {"latent_dist": type("Posterior", (), {"parameters": torch.zeros(len(rgb), 2, 1, 1)})}
        )

    def decode(self, latents):
        return type("Decoded", (), {"sample": self.rgb + self.shift})


def test_a_wrong_hue_costs_more_than_a_wrong_brightness_of_the_same_squares(images) -> None:
    loss = Reconstruction(images, batch=2, seed=0)
    brighter, redder = (float(loss(_Shifted(*shift), 0)) for shift in ((0.1, 0.1, 0.1), (0.1, -0.1, 0.1)))
    squares = 4 * 0.1**2
    assert brighter == pytest.approx(squares, rel=1e-3)
    hue = torch.tensor([0.1, -0.1, 0.1]) - 0.1 / 3
    assert redder == pytest.approx(squares + 8 * float(hue.square().mean()) + 2 * float(hue.abs().mean()), rel=1e-3)


def test_the_scale_is_that_of_latents_of_training_images_and_the_error_that_of_held_out_ones(images) -> None:
    seen = torch.from_numpy(np.where(images.held_out[:, None, None, None], 0, images.rgba)[:810]).float() / 255
    rgb = seen[..., :3] + (1 - seen[..., 3:]) * 0.75
    expected = torch.nn.functional.avg_pool2d(2 * rgb.permute(0, 3, 1, 2) - 1, 4).square().mean().sqrt()
    assert deviation_of_latents(_Plain(), images) == pytest.approx(float(expected), rel=0.02)
    held = torch.from_numpy(images.rgba[810:]).float() / 255
    rgb = (held[..., :3] + (1 - held[..., 3:]) * 0.75).clamp(0, 10)
    expected = -10 * math.log10(float((rgb - 0.5).square().mean()))
    assert peak_signal_to_noise(_Plain(), images) == pytest.approx(expected, abs=0.05)

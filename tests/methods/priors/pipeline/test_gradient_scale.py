"""Gradients through an autoencoder in float16, against those in float32, for losses of any size."""

from __future__ import annotations

import copy

import pytest
import torch
from tiny_pipelines import autoencoder
from torch import Tensor

from methods.priors.pipeline.gradient_scale import through_half
from methods.priors.pipeline.vae_codec import VaeCodec


def gradient(codec: VaeCodec, size: float, *, decoding: bool = False) -> Tensor:
    """The gradient of ``size`` times a sum over what the codec gives, divided by ``size``."""
    generator = torch.Generator().manual_seed(3)
    values = torch.rand(2, 3, 32, 32, generator=generator)
    if decoding:
        values = torch.randn(2, 4, 8, 8, generator=generator)
    values.requires_grad_()
    found = codec.decode(values) if decoding else codec.encode(values)
    weights = torch.randn(found.shape, generator=generator)
    (slope,) = torch.autograd.grad(size * (weights * found).sum(), values)
    return slope / size


@pytest.mark.parametrize("posterior", ["mode", "sample"])
@pytest.mark.parametrize("decoding", [False, True], ids=["encode", "decode"])
@pytest.mark.parametrize("size", [1e5, 1.0, 1e-5, 1e-9])
def test_a_gradient_of_any_size_comes_through_half_precision(posterior: str, decoding: bool, size: float) -> None:
    network = autoencoder()
    half = VaeCodec(copy.deepcopy(network).half(), posterior)  # type: ignore[arg-type]
    exact = gradient(VaeCodec(network, posterior), 1.0, decoding=decoding)  # type: ignore[arg-type]
    found = gradient(half, size, decoding=decoding)
    assert float((found - exact).norm() / exact.norm()) < 0.02


def test_without_the_scale_it_is_lost() -> None:
    """What the test above would find."""
    weights = torch.full((8,), 1.0, dtype=torch.float16)
    values = torch.ones(8, requires_grad=True)
    (plain,) = torch.autograd.grad(1e-9 * (weights * values.half()).float().sum(), values)
    (kept,) = torch.autograd.grad(1e-9 * through_half(lambda x: weights * x, values, torch.float16).sum(), values)
    assert float(plain.abs().max()) == 0
    torch.testing.assert_close(kept, torch.full((8,), 1e-9))


@pytest.mark.parametrize("size", [0.0, float("nan"), float("inf")])
def test_what_is_no_number_stays_so_and_nothing_stays_nothing(size: float) -> None:
    values = torch.ones(8, requires_grad=True)
    (slope,) = torch.autograd.grad(size * through_half(lambda x: 2 * x, values, torch.float16).sum(), values)
    torch.testing.assert_close(slope, torch.full((8,), 2 * size), equal_nan=True)


def test_float32_and_renders_without_a_gradient_are_left_alone() -> None:
    network = autoencoder()
    values = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(3)).requires_grad_()
    expected = 2 * values - 1
    plain = network.encode(expected.contiguous(memory_format=torch.channels_last)).latent_dist.mean
    plain = plain * network.config["scaling_factor"]
    assert torch.equal(VaeCodec(network).encode(values), plain)
    with torch.no_grad():
        assert not VaeCodec(network.half()).encode(values).requires_grad

"""The codec against numpy's principal components, and as an autoencoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from methods.priors.pipeline.patch_codec import PatchCodec


@pytest.fixture
def rgb() -> torch.Tensor:
    noise = torch.rand(6, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(noise, (16, 16), mode="bicubic").clamp(0, 1)


def test_all_components_reconstruct_the_image(rgb) -> None:
    codec = PatchCodec.fit(rgb, patch=2, channels=12)
    torch.testing.assert_close(codec.decode(codec.encode(rgb)), rgb, rtol=1e-4, atol=1e-4)


def test_error_of_the_leading_components_is_the_variance_left_out(rgb) -> None:
    patches = torch.nn.functional.pixel_unshuffle(2 * rgb - 1, 2).permute(0, 2, 3, 1).reshape(-1, 12).double().numpy()
    variance = np.sort(np.linalg.svd(patches - patches.mean(0), compute_uv=False) ** 2)[::-1] / len(patches)
    codec = PatchCodec.fit(rgb, patch=2, channels=5)
    error = (codec.decode(codec.encode(rgb)) - rgb).square().mean()
    assert float(error) == pytest.approx(variance[5:].sum() / 12 / 4, rel=1e-3)


def test_leading_channel_has_unit_variance_and_finer_ones_less(rgb) -> None:
    latents = PatchCodec.fit(rgb, patch=2, channels=6).encode(rgb)
    deviation = latents.std(dim=(0, 2, 3), correction=0)
    assert float(deviation[0]) == pytest.approx(1, rel=1e-3)
    assert bool((deviation.diff() < 0).all())
    assert float(latents.mean(dim=(0, 2, 3)).abs().max()) < 1e-4


def test_encoding_decoded_latents_returns_them(rgb) -> None:
    codec = PatchCodec.fit(rgb, patch=2, channels=5)
    latents = torch.randn(2, 5, 8, 8, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(codec.encode(codec.decode(latents)), latents, rtol=1e-4, atol=1e-4)


def test_a_saved_codec_is_the_same(rgb, tmp_path: Path) -> None:
    codec = PatchCodec.fit(rgb, patch=2, channels=5)
    codec.save(tmp_path)
    assert torch.equal(PatchCodec.load(tmp_path).encode(rgb), codec.encode(rgb))

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from prompts.toybox import DEGRADATIONS


@pytest.fixture
def rgb() -> torch.Tensor:
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_nothing_at_strength_zero_and_more_with_more(name, rgb) -> None:
    changed = [
        float((DEGRADATIONS[name](rgb, s, torch.Generator().manual_seed(1)) - rgb).abs().mean()) for s in (0, 0.4, 1)
    ]
    assert changed[0] < 1e-3
    assert changed[0] < changed[1] < changed[2]


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_images_stay_images(name, rgb) -> None:
    out = DEGRADATIONS[name](rgb, 1.0, torch.Generator().manual_seed(1))
    assert out.shape == rgb.shape
    assert float(out.min()) >= -1e-6
    assert float(out.max()) <= 1 + 1e-6


def test_blur_is_scipy_s(rgb) -> None:
    ours = DEGRADATIONS["blur"](rgb, 0.5, torch.Generator())[0, 0].numpy()
    theirs = gaussian_filter(rgb[0, 0].double().numpy(), sigma=1.0, mode="nearest", truncate=3.0)
    np.testing.assert_allclose(ours, theirs, atol=6e-3)

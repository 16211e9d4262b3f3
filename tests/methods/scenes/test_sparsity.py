"""The penalty on haze against numpy."""

from __future__ import annotations

import numpy as np
import torch

from methods.scenes.sparsity import sparsity


def test_sparsity() -> None:
    opacity = np.random.default_rng(0).random((2, 1, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(sparsity(torch.from_numpy(opacity)), np.sqrt(opacity**2 + 0.01).mean(), rtol=1e-6)

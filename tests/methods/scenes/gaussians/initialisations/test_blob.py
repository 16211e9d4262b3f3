from __future__ import annotations

import pytest
import torch
from scipy.stats import kstest

from methods.scenes.gaussians.initialisations import initialisations
from methods.scenes.gaussians.initialisations.blob import GaussianBlob


def test_the_density_is_that_of_dreamfusion() -> None:
    points = initialisations["blob"]().points(4000, torch.Generator().manual_seed(0))
    assert points.rgb is None
    for axis in range(3):
        assert kstest(points.positions[:, axis].double(), "norm", args=(0, 0.2)).pvalue > 0.01
    # the share within a radius r of a normal distribution in space: a Maxwell distribution
    assert kstest(points.positions.norm(dim=1).double(), "maxwell", args=(0, 0.2)).pvalue > 0.01


def test_refuses_bad_settings() -> None:
    with pytest.raises(ValueError, match="std: 0 is not a positive distance"):
        GaussianBlob(std=0)

"""Columns of pyiqa against the package itself, for its metrics that have no weights to fetch."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch

import methods.torchvision_shim  # noqa: F401  (before pyiqa)
from metrics import Views, metrics


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["piqe", "entropy"])
def test_equals_the_package(layouts: ModuleType, name: str) -> None:
    pyiqa = pytest.importorskip("pyiqa", reason="needs the published packages: nox -s parity")
    rgb = layouts.images(3, 160, 192, 4)
    views = Views(rgb, np.full(rgb.shape[:3], 255, dtype=np.uint8), np.arange(3) * 120.0)
    metric = metrics[f"pyiqa:{name}"]("toybox")
    network = pyiqa.create_metric(name, device=torch.device("cpu"))
    expected = [float(network(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)) for image in rgb]
    np.testing.assert_allclose(metric.score(views, "", [])[f"pyiqa:{name}"], expected, atol=1e-4, rtol=0)
    assert metric.card.columns[0].direction == ("lower" if network.lower_better else "higher")
    assert np.ptp(expected) > 1e-3

"""The penalties against loops over pixels and views."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from methods.cameras import evaluation_ring
from methods.contracts import Rendering
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.gaussians import Gaussians
from methods.scenes.gaussians.penalties import GaussianPenalties, inverse_depth, total_variation

ALL = GaussianPenalties(tv_rgb=1.0, tv_depth=2.0, scale=3.0, sparsity=4.0)


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_total_variation_is_that_of_the_definition() -> None:
    """``2 * (h_tv / count_h + w_tv / count_w) / batch_size``, whose counts are those of one image."""
    some = images(3, 2, 4, 5)
    down = sum(
        float(some[b, c, y + 1, x] - some[b, c, y, x]) ** 2
        for b in range(3) for c in range(2) for y in range(3) for x in range(5)
    )  # fmt: skip
    across = sum(
        float(some[b, c, y, x + 1] - some[b, c, y, x]) ** 2
        for b in range(3) for c in range(2) for y in range(4) for x in range(4)
    )  # fmt: skip
    expected = 2 * (down / (2 * 3 * 5) + across / (2 * 4 * 4)) / 3
    assert float(total_variation(some)) == pytest.approx(expected, rel=1e-12)


def test_inverse_depth_is_that_of_the_definition() -> None:
    depth, opacity = 3 + images(2, 1, 3, 4, seed=1), 0.1 * images(2, 1, 3, 4, seed=2)
    opacity[0, 0, 1], opacity[1, 0, :, 2] = 1.0, 0.95
    found = inverse_depth(depth, opacity)
    for view in range(2):
        inverse = [1 / (float(d) * float(o) + 10 * (1 - float(o)) + 1e-5) for d, o in
                   zip(depth[view].flatten(), opacity[view].flatten(), strict=True)]  # fmt: skip
        solid = [value for value, o in zip(inverse, opacity[view].flatten(), strict=True) if o >= 0.9]
        low, high = min(solid), max(inverse)
        expected = [min(max((value - low) / (high - low), 0), 1) for value in inverse]
        assert found[view].flatten().tolist() == pytest.approx(expected, abs=1e-12)
    assert float(found[0, 0, 1].max()) == 1
    assert float(found[0, 0, 0].max()) == 0  # what shines through is behind what is solid


def test_an_empty_view_has_no_depth_and_gradients_are_numbers() -> None:
    depth, opacity = torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4)
    depth[1], opacity[1] = 2.0, 0.5
    depth, opacity = depth.requires_grad_(), opacity.requires_grad_()
    found = inverse_depth(depth, opacity)
    assert float(found.detach().abs().max()) == 0
    for slope in torch.autograd.grad(total_variation(found), (depth, opacity)):
        assert bool(slope.isfinite().all())


def test_each_weight_multiplies_its_own_and_a_weight_of_0_computes_nothing() -> None:
    rendering = Rendering(
        rgb=images(2, 3, 4, 4), opacity=images(2, 1, 4, 4), depth=2 + images(2, 1, 4, 4), normals=None
    )
    scales = images(5, 3)
    found = ALL.weighted(rendering, scales, 0.5)
    assert {name: float(value) for name, value in found.items()} == pytest.approx({
        "tv_rgb": float(total_variation(rendering.rgb)),
        "tv_depth": 2 * float(total_variation(inverse_depth(rendering.depth, rendering.opacity))),
        "scale": 3 * float(scales.mean()),
        "sparsity": 4 * float((rendering.opacity**2 + 0.01).sqrt().mean()),
    })  # fmt: skip
    assert GaussianPenalties().weighted(rendering, scales, 0.5) == {}
    late = GaussianPenalties(scale=(0.5, 0.0, 1.0, 0.6))
    assert late.weighted(rendering, scales, 0.5) == {}
    assert float(late.weighted(rendering, scales, 0.55)["scale"]) == pytest.approx(0.5 * float(scales.mean()))
    assert float(ALL.weighted(rendering, torch.zeros(0, 3), 0.5)["scale"]) == 0


def test_a_scene_is_pulled_down_by_each() -> None:
    """A step along the gradient of one penalty lowers it."""
    for name in ("tv_rgb", "tv_depth", "scale", "sparsity"):
        penalties = GaussianPenalties(**{name: 1.0})
        scene = Gaussians(count=200, size=0.1, opacity=0.5, penalties=penalties)
        built = scene.build(GaussianPrior(), torch.Generator().manual_seed(0))
        optimiser, values = torch.optim.Adam(built.parameter_groups()), []
        for _ in range(6):
            shown = built.render(evaluation_ring(2), resolution=16, background=torch.ones(2, 3), training=True)
            (value,) = built.regularisation(shown, 0.5).values()
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            values.append(float(value.detach()))
        assert values[-1] < 0.95 * values[0], name
        assert not math.isnan(values[-1])


def test_refuses_a_malformed_weight() -> None:
    with pytest.raises(ValueError, match=r"tv_depth: -1.0 is not zero or a positive weight"):
        GaussianPenalties(tv_depth=-1.0)

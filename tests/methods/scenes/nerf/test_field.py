"""The field before the first step: the blob, and nothing drawn from the global generator."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from methods.scenes.nerf.encodings.dense_grid import DenseGrid
from methods.scenes.nerf.field import Blob, Field


def field(**settings: Any) -> Field:
    init = torch.Generator().manual_seed(0)
    defaults: dict[str, Any] = {"radius": 1.0, "hidden": 8, "blob": Blob(10.0, 0.5)}
    return Field(DenseGrid(resolutions=(4,)).build(init), **{**defaults, **settings}, generator=init)


def test_starts_as_a_blob() -> None:
    inside, edge, outside = field().density(torch.tensor([[0.0, 0, 0], [0.5, 0, 0], [0, 0, 0.95]])).tolist()
    assert inside == pytest.approx(10, abs=0.6)
    assert edge == pytest.approx(0.69, abs=0.4)  # softplus(0)
    assert outside < 1e-3


def test_density_alone_is_the_density_of_both() -> None:
    points = torch.rand(9, 3, generator=torch.Generator().manual_seed(0))
    built = field()
    sample = built(points)
    assert torch.equal(built.density(points), sample.density)
    assert sample.rgb.shape == (9, 3)
    assert 0 < sample.rgb.min() <= sample.rgb.max() < 1


def test_radius_stretches_the_encoding_over_the_box() -> None:
    small, large = field(blob=Blob(scale=0.0)), field(blob=Blob(scale=0.0), radius=2.0)
    points = torch.rand(9, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    torch.testing.assert_close(small.density(points), large.density(2 * points))


def test_separate_networks_have_no_biases_and_share_nothing() -> None:
    built, points = field(networks="separate"), torch.rand(9, 3, generator=torch.Generator().manual_seed(0))
    widths = [tuple(parameter.shape) for parameter in built.network.parameters()]
    assert widths == [(8, 4), (1, 8), (8, 4), (3, 8)]
    assert torch.equal(built.density(points), built(points).density)
    built(points).rgb.sum().backward()
    assert all((parameter.grad == 0).all() for parameter in built.network.of_density.parameters())


@torch.no_grad()
def test_chunks_are_seen_by_nobody() -> None:
    built, points = field(), torch.rand(23, 3, generator=torch.Generator().manual_seed(0))
    whole = built(points)
    built.encoding.points_at_once = 5
    torch.testing.assert_close(built(points), whole)
    torch.testing.assert_close(built.density(points), whole.density)


def test_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    first, second = field(), field()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize(("field", "value"), [("scale", -1.0), ("std", 0.0)])
def test_refuses_a_bad_blob(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field}: {value} is not"):
        Blob(**{field: value})

"""Coarse to fine: which levels show, and that the others are still."""

from __future__ import annotations

import pytest
import torch

from methods.scenes.nerf.encodings.hash_grid import HashGrid
from methods.scenes.nerf.encodings.progressive_bands import ProgressiveBands, ProgressiveBandsModule


def bands(**settings: object) -> ProgressiveBandsModule:
    grid = HashGrid(levels=4, log2_table_size=8, base_resolution=2, finest_resolution=16, initial_bound=1.0)
    defaults = {"encoding": grid, "levels": 4, "start_level": 1}
    return ProgressiveBands(**{**defaults, **settings}).build(torch.Generator().manual_seed(0))


@pytest.mark.parametrize("step", [0, 1999, 2000, 2499, 2500, 2501, 3000, 5999, 6000, 9999])
def test_the_defaults_are_those_of_sdi_yaml_in_steps(step: int) -> None:
    """The released rule in whole steps: min(8 + max(step − 2000, 0) // 500, 16)."""
    assert ProgressiveBands().level_at(step / 10_000) == min(8 + max(step - 2000, 0) // 500, 16)


def test_held_levels_are_zero_and_have_no_gradient() -> None:
    built, points = bands(), torch.rand(30, 3, generator=torch.Generator().manual_seed(1))
    plain = built.encoding(points)
    for progress, shown in ((0.0, 1), (0.25, 2), (0.3, 3), (1.0, 4)):
        built.before_step(progress)
        found = built(points)
        assert torch.equal(found[:, : 2 * shown], plain[:, : 2 * shown])
        assert (found[:, 2 * shown :] == 0).all()
        (gradient,) = torch.autograd.grad(found.sum(), built.encoding.table)
        first_held = sum(min((cells + 1) ** 3, 2**8) for cells in built.encoding.cells[:shown])
        assert gradient[:first_held].abs().max() > 0
        assert (gradient[first_held:] == 0).all()


def test_the_mask_is_saved() -> None:
    built, loaded, points = bands(), bands(), torch.rand(9, 3, generator=torch.Generator().manual_seed(1))
    built.before_step(0.3)
    loaded.load_state_dict(built.state_dict())
    assert torch.equal(loaded(points), built(points))
    assert (loaded.mask == torch.tensor([1.0] * 6 + [0.0] * 2)).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start_level": 0}, "start_level: 0 is not from 1 to 4"),
        ({"start_level": 5}, "start_level: 5 is not from 1 to 4"),
        ({"start": 1.5}, "start: 1.5 is not"),
        ({"every": 0.0}, "every: 0.0 is not"),
        ({"levels": 3}, "levels: 3 is not a divisor of the encoding's 8 features"),
    ],
)
def test_refuses_bad_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bands(**settings)

from __future__ import annotations

import pytest
import torch

from methods.cameras import evaluation_ring
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.backgrounds import randomise
from methods.scenes.gaussians.gaussians import Gaussians


def test_a_share_is_replaced_half_by_black_and_half_by_any_colour() -> None:
    given = torch.full((20_000, 3), 2.0)  # a colour that is drawn by nobody
    shown = randomise(given, 0.66, torch.Generator().manual_seed(0))
    kept, black = (shown == 2).all(1), (shown == 0).all(1)
    assert float(kept.float().mean()) == pytest.approx(0.34, abs=0.01)
    assert float(black.float().mean()) == pytest.approx(0.33, abs=0.01)
    drawn = shown[~kept & ~black]
    assert drawn.mean(0).tolist() == pytest.approx([0.5] * 3, abs=0.02)
    assert float(drawn.min()) >= 0
    assert float(drawn.max()) <= 1


def test_a_share_does_not_shift_other_draws() -> None:
    after = []
    for share in (0.1, 0.9):
        draws = torch.Generator().manual_seed(0)
        randomise(torch.ones(3, 3), share, draws)
        after.append(torch.rand(1, generator=draws))
    assert torch.equal(*after)


def test_only_renders_of_the_optimisation_have_them() -> None:
    scene = Gaussians(count=5, random_backgrounds=1.0).build(GaussianPrior(), torch.Generator().manual_seed(0))
    ring, white = evaluation_ring(3), torch.ones(3, 3)
    draws = torch.Generator().manual_seed(0)

    def corner(**how: object) -> torch.Tensor:
        with torch.no_grad():
            return scene.render(ring, resolution=8, background=white, **how).rgb[:, :, 0, 0]

    assert torch.equal(corner(generator=draws), white)
    assert torch.equal(corner(training=True), white)
    assert not bool((corner(generator=draws, training=True) == 1).any())


def test_refuses_a_share_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"random_backgrounds: 1.5 is not a share in \[0, 1\]"):
        Gaussians(random_backgrounds=1.5)
    with pytest.raises(ValueError, match=r"normals: 'depths' is not 'axis' or 'depth'"):
        Gaussians(normals="depths")

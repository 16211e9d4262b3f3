from __future__ import annotations

import pytest
import torch

from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.initialisations import initialisations
from methods.scenes.gaussians.initialisations.record import OnRecord
from methods.scenes.image import Image
from methods.scenes.nerf.marching.occupancy import OccupancyMarching
from methods.scenes.nerf.nerf import NeRF


def test_points_are_on_the_surface_of_the_scene() -> None:
    scene = NeRF(marching=OccupancyMarching(56)).build(GaussianPrior(), torch.Generator().manual_seed(0))
    part = initialisations["record"](run="quick", arm="sds").for_cell("blue-duck", 5)
    assert part.seed == 5
    found = part.made_from(scene).points(500, torch.Generator().manual_seed(1))
    # a NeRF starts as a blob of 0.5: its silhouette is a ball
    distance = found.positions.norm(dim=1)
    assert float(distance.std()) < 0.05 * float(distance.mean())
    with torch.no_grad():
        torch.testing.assert_close(found.rgb, scene.volume()(found.positions).rgb, atol=0.02, rtol=0)


def test_a_scene_without_a_surface_is_named() -> None:
    part = OnRecord(run="quick", arm="sds", seed=3)
    assert part.for_cell("blue-duck", 5) == part
    image = Image(side=8).build(GaussianPrior(), torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="run: 'quick' is a run of scenes without geometry"):
        part.made_from(image)
    nothing = NeRF(marching=OccupancyMarching(14)).build(GaussianPrior(), torch.Generator().manual_seed(0))
    with torch.no_grad():
        for name, value in nothing.state_dict().items():
            value.copy_(value * 0 - 9 * ("bias" in name))
    with pytest.raises(ValueError, match="run: 'quick' is not a run whose scenes have a surface; choose another arm"):
        part.made_from(nothing)
    with pytest.raises(ValueError, match="run: 'quick' has to be read first"):
        part.points(3, torch.Generator())


@pytest.mark.parametrize("name", ["run", "arm"])
def test_refuses_empty_names(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: '' is not the "):
        OnRecord(**{"run": "quick", "arm": "sds", name: ""})

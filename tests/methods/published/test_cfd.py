"""The window of FSD's world map against numbers from running CFD's code (the golden file names the commit)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from seen_objects import kappa

from methods.cameras import evaluation_ring
from methods.contracts import Rendering
from methods.inversion.kept_noise import KeptNoise
from methods.inversion.world_map import WorldMap


@pytest.mark.parametrize("number", range(3))
def test_the_window_is_that_of_the_released_code(number: int, published) -> None:
    """Above the horizon the code's map is ours, half its height lower."""
    case = published("cfd_noise")["map"][number]
    side, span, generator = case["side"], case["noise_theta"], torch.Generator().manual_seed(case["seed"])
    rows, columns = int(180 / span * side), int(360 / span * side)
    theirs = torch.randn(1, 2, rows + side, columns + side, generator=generator)[0]
    theirs[..., : side // 2] = theirs[..., columns : columns + side // 2]  # the code's "periodic padding"
    state = {"world_map": KeptNoise()}
    state["world_map"].load_state_dict(
        {
            "map": theirs.roll(-(rows // 2), dims=1)[..., :columns],
            "background": torch.randn(1, 2, side, side, generator=generator)[0],
        }
    )
    for view in case["views"]:
        seed = torch.Generator().manual_seed(view["opacity_seed"])
        opacity = 0.8 * torch.rand(1, 1, 4 * side, 4 * side, generator=seed).sqrt()
        angles = {name: torch.tensor([view[name]]) for name in ("elevation_deg", "azimuth_deg")}
        camera = replace(evaluation_ring(1), **angles)
        rendering = Rendering(None, opacity, torch.ones_like(opacity))
        ours = kappa(WorldMap(span_deg=span), rendering, camera, side=side, channels=2, state=state)
        expected = torch.tensor(view["noise"]).reshape(ours.shape)
        assert float((ours - expected).abs().max()) < 1e-5
        on_map = (expected != state["world_map"].values["background"].round(decimals=5)).float().mean()
        assert 0.5 < float(on_map) < 1  # the case has both

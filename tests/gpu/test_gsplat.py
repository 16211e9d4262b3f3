"""gsplat against plain torch on a GPU: images, gradients, batched views, and the time of a step."""

from __future__ import annotations

import importlib.util
import time
from typing import Any

import pytest
import torch
from gaussian_clouds import draw_with, gradients, random_cloud
from rich.console import Console

from methods.camera_range import CameraRange
from methods.cameras import Cameras, evaluation_ring, sample_cameras
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.gaussians import Gaussians
from methods.scenes.gaussians.rasterisers import gsplat
from methods.scenes.gaussians.rasterisers.gsplat import Gsplat
from methods.scenes.gaussians.rasterisers.rasteriser import Rasterised, Rasteriser
from methods.scenes.gaussians.rasterisers.torch_tiles import TorchTiles

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.skipif(importlib.util.find_spec("gsplat") is None, reason="gsplat is not installed"),
]

CUDA = torch.device("cuda")
SIDE = 97

#: Of the largest value.  No Gaussian is more than 0.8 opaque, so that a ray that gsplat ends early lacks up to 5e-4 of
#: its light, and fast exponentials put a pixel on the other side of 1/255 now and then.
IMAGES = 0.01
#: Norm of the difference by norm.
SLOPES = 0.01


def cameras(count: int) -> Cameras:
    bounds = CameraRange(distance=(1.5, 3.0), fovy_deg=(30.0, 70.0), position_jitter=0.2, target_jitter=0.2)
    return sample_cameras(bounds, count, torch.Generator().manual_seed(0)).to(CUDA)


def test_gsplat_works_where_there_is_a_gpu() -> None:
    assert gsplat.problem() is None
    Gsplat().require()


@pytest.mark.parametrize("spread", [0.5, 1.5], ids=["in view", "around the cameras"])
@pytest.mark.parametrize("channels", [3, 7, 40])
def test_images_and_all_gradients_are_those_of_torch(spread: float, channels: int) -> None:
    found = []
    for rasteriser in (Gsplat(), TorchTiles()):
        parts = random_cloud(0, 500, channels=channels, spread=spread, dtype=torch.float32, device=CUDA)
        drawn = draw_with(rasteriser.draw, parts, cameras(3), SIDE)
        slopes = gradients(drawn, parts)
        found.append((Rasterised(*(each.detach() for each in drawn)), slopes))
    (theirs, their_slopes), (ours, our_slopes) = found
    assert float((theirs.opacity - ours.opacity).abs().max()) < IMAGES
    assert float((theirs.opacity - ours.opacity).abs().mean()) < 1e-4
    assert float((theirs.sums - ours.sums).abs().max()) < IMAGES * float(ours.sums.abs().max())
    both = (theirs.radii > 0) & (ours.radii > 0)
    assert float(((theirs.radii > 0) != (ours.radii > 0)).float().mean()) < 0.01  # on the edge
    torch.testing.assert_close(theirs.radii[both], ours.radii[both], rtol=0.01, atol=0.01)
    torch.testing.assert_close(theirs.centres[both], ours.centres[both], rtol=0, atol=0.01)
    names = ("means", "scales", "rotations", "opacities", "values", "centres")
    for name, one, other in zip(names, their_slopes, our_slopes, strict=True):
        if name == "centres":
            one, other = one[both], other[both]  # noqa: PLW2901
        assert float((one - other).norm()) < SLOPES * float(other.norm()), name


def test_a_batch_of_views_is_each_of_them() -> None:
    parts = random_cloud(1, 300, dtype=torch.float32, device=CUDA)
    together = draw_with(Gsplat().draw, parts, cameras(4), SIDE)
    for view in range(4):
        alone = draw_with(Gsplat().draw, parts, cameras(4)[view : view + 1], SIDE)
        for one, whole in zip((alone.sums, alone.opacity, alone.radii), together[:2] + together[3:], strict=True):
            torch.testing.assert_close(one[0], whole[view], rtol=0, atol=1e-5)


def test_a_camera_that_sees_nothing_has_no_gradient_that_is_not_a_number() -> None:
    parts = random_cloud(2, 50, dtype=torch.float32, device=CUDA)
    view = cameras(1)
    behind = (parts[0].detach() + 20 * view.positions).requires_grad_()
    drawn = draw_with(Gsplat().draw, (behind, *parts[1:]), view, 16)
    assert float(drawn.opacity.max()) == 0
    assert float(drawn.radii.max()) == 0
    for slope in torch.autograd.grad(drawn.sums.sum() + drawn.opacity.sum(), (behind, *parts[1:])):
        assert bool(slope.isfinite().all())


def _scene(rasteriser: Rasteriser, count: int, **settings: Any) -> Any:
    made = Gaussians(count=count, rasteriser=rasteriser, **settings)
    return made.build(GaussianPrior(), torch.Generator().manual_seed(0)).to(CUDA)


@pytest.mark.parametrize("degree", [0, 3])
def test_a_scene_renders_the_same(degree: int) -> None:
    shown = []
    for rasteriser in (Gsplat(), TorchTiles()):
        scene, ring = _scene(rasteriser, 2000, sh_degree=degree), evaluation_ring(4).to(CUDA)
        with torch.no_grad():
            shown.append(scene.render(ring, resolution=64, background=torch.ones(4, 3, device=CUDA)))
    for name in ("rgb", "opacity"):
        assert float((getattr(shown[0], name) - getattr(shown[1], name)).abs().max()) < IMAGES, name
    solid = shown[1].opacity > 0.5
    torch.testing.assert_close(shown[0].depth[solid], shown[1].depth[solid], rtol=0.01, atol=0)


@pytest.mark.parametrize(("count", "side"), [(2000, 64), (100_000, 512)])
def test_what_a_step_costs(count: int, side: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Forward and backward of four views."""
    view, found = cameras(4), {}
    for name, rasteriser in (("gsplat", Gsplat()), ("torch", TorchTiles())):
        scene = _scene(rasteriser, count, size=0.04 if count < 10_000 else 0.008)

        def step(scene: Any = scene) -> None:
            shown = scene.render(view, resolution=side, background=torch.ones(4, 3, device=CUDA), training=True)
            shown.rgb.square().mean().backward()

        for _ in range(2):
            step()
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(5):
            step()
        torch.cuda.synchronize()
        found[name] = (time.perf_counter() - start) / 5
    with capsys.disabled():
        times = ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in found.items())
        Console().print(f"\n{count} Gaussians, 4 views of {side} pixels: {times}")
    assert found["gsplat"] < found["torch"]

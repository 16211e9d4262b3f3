"""The NeRF as a scene: it learns, it is the same twice, and its shortcuts change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from methods.cameras import CameraRange, Cameras, evaluation_ring
from methods.scenes import scenes
from methods.scenes.nerf.nerf import NeRF

#: Reaches beyond the initial blob along x and y, and stays within it along z.
BOX = torch.tensor([0.7, 0.6, 0.2])


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(**settings: Any) -> NeRF:
    defaults: dict[str, Any] = {"samples": 24, "encoding_settings": {"resolutions": (8, 24)}}
    return NeRF(**{**defaults, **settings}, init=generator(0))


def picture_of_box(cameras: Cameras, resolution: int) -> tuple[Tensor, Tensor]:
    """Exact premultiplied colour and silhouette of the box: red at one end, blue at the other."""
    origins, directions = (part.flatten(0, 2) for part in cameras.rays(resolution))
    low, high = (-BOX - origins) / directions, (BOX - origins) / directions
    near, far = torch.minimum(low, high).amax(-1), torch.maximum(low, high).amin(-1)
    hit = (near < far).float()[:, None]
    along = (origins + near[:, None] * directions)[:, :1] / BOX[0] / 2 + 0.5
    rgb = torch.cat([along, torch.full_like(along, 0.3), 1 - along], dim=-1) * hit

    def image(values: Tensor) -> Tensor:
        return values.view(len(cameras), resolution, resolution, -1).permute(0, 3, 1, 2)

    return image(rgb), image(hit)


def fit(nerf: NeRF, *, steps: int, views: int = 1, resolution: int = 24) -> None:
    """Adam on pictures of the box over random grey, every draw from seeded generators."""
    optimiser = torch.optim.Adam(nerf.parameter_groups(), betas=(0.9, 0.99), eps=1e-15)
    camera, rays, greys = generator(1), generator(2), generator(3)
    for step in range(steps):
        cameras = CameraRange(elevation_deg=(-10, 60)).sample(views, camera)
        background = torch.rand(views, 1, generator=greys).expand(-1, 3)
        rgb, opacity = picture_of_box(cameras, resolution)
        wanted = rgb + (1 - opacity) * background[:, :, None, None]
        rendering = nerf.render(cameras, resolution=resolution, background=background, rays=rays)
        penalties = nerf.regularisation(rendering, step / steps)
        loss = torch.stack([((rendering.rgb - wanted) ** 2).mean(), *penalties.values()]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        nerf.after_step(step, rays)


@pytest.fixture(scope="module")
def fitted() -> NeRF:
    nerf = small(samples=32, encoding_settings={})
    fit(nerf, steps=100)
    return nerf


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@torch.no_grad()
def test_learns_a_box_from_pictures(fitted: NeRF) -> None:
    ring = evaluation_ring(3)
    rgb, opacity = picture_of_box(ring, 48)
    rendering = fitted.render(ring, resolution=48, background=torch.ones(3, 3))
    psnr = -10 * ((rendering.rgb - (rgb + 1 - opacity)) ** 2).mean().log10()
    drawn, true = rendering.opacity > 0.5, opacity > 0.5
    assert psnr > 22
    assert (drawn & true).sum() / (drawn | true).sum() > 0.85
    hit = drawn & true
    assert ((rendering.depth[hit] > 2) & (rendering.depth[hit] < 4)).all()


@torch.no_grad()
def test_grows_beyond_the_blob_and_vanishes_within(fitted: NeRF) -> None:
    beyond, within = torch.tensor([[0.66, 0.5, 0.1], [-0.66, -0.5, 0.1]]), torch.tensor([[0.0, 0, 0.4], [0.1, 0, -0.4]])
    blob = small().field.density
    assert blob(beyond).max() < blob(within).min()
    assert fitted.field.density(beyond).min() > 5
    assert fitted.field.density(within).max() < 0.5
    assert fitted.occupancy.contains(beyond).all()
    assert not fitted.occupancy.contains(torch.tensor([[0.0, 0.0, 0.8], [0.5, 0.5, -0.6]])).any()


@torch.no_grad()
def test_normals_of_the_box_s_top_point_up(fitted: NeRF) -> None:
    above = evaluation_ring(1, elevation_deg=60)
    rendering = fitted.render(above, resolution=9, background=torch.ones(1, 3), with_normals=True)
    assert rendering.normals is not None
    assert rendering.normals.shape == (1, 3, 9, 9)
    assert rendering.normals[0, 2, 4, 4] > 0.5
    assert (rendering.normals.norm(dim=1, keepdim=True) <= rendering.opacity + 1e-5).all()


@torch.no_grad()
def test_culling_changes_nothing_that_can_be_seen(fitted: NeRF) -> None:
    ring, grey = evaluation_ring(2), torch.full((2, 3), 0.5)
    culled = fitted.render(ring, resolution=16, background=grey)
    kept = fitted.occupancy.occupied.clone()
    fitted.occupancy.occupied.fill_(True)
    whole = fitted.render(ring, resolution=16, background=grey)
    fitted.occupancy.occupied.copy_(kept)
    assert kept.float().mean() < 0.4
    assert (culled.rgb - whole.rgb).abs().max() < 0.05


@torch.no_grad()
def test_a_loaded_scene_renders_the_same(fitted: NeRF, tmp_path: Path) -> None:
    path = tmp_path / "scene.safetensors"
    safetensors.torch.save_file(fitted.state_dict(), path)
    loaded = NeRF(samples=32, init=generator(9))
    loaded.load_state_dict(safetensors.torch.load_file(path))
    ring, white = evaluation_ring(2), torch.ones(2, 3)
    for name in ("rgb", "opacity", "depth"):
        first = getattr(fitted.render(ring, resolution=16, background=white), name)
        assert torch.equal(first, getattr(loaded.render(ring, resolution=16, background=white), name))


@pytest.mark.parametrize(("encoding", "settings"), [("dense_grid", {}), ("hash_grid", {"levels": 3})])
@pytest.mark.usefixtures("two_threads")
def test_the_same_seed_gives_the_same_bits(encoding: str, settings: dict[str, Any]) -> None:
    states = []
    for _ in range(2):
        nerf = small(encoding=encoding, encoding_settings=settings, lambda_orient=0.01)
        fit(nerf, steps=11, views=2, resolution=12)
        states.append(nerf.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@torch.no_grad()
def test_a_view_does_not_depend_on_its_batch() -> None:
    nerf, both = small(), evaluation_ring(2, elevation_deg=40)
    greys = torch.tensor([[0.2] * 3, [0.9] * 3])
    batch = nerf.render(both, resolution=8, background=greys).rgb
    second = Cameras(**{name: values[1:] for name, values in vars(both).items()})
    torch.testing.assert_close(nerf.render(second, resolution=8, background=greys[1:]).rgb, batch[1:])


def test_an_empty_scene_shows_the_background_and_can_be_stepped() -> None:
    nerf, background = small(), torch.tensor([[0.1, 0.5, 0.9]])
    nerf.occupancy.occupied.zero_()
    rendering = nerf.render(evaluation_ring(1), resolution=4, background=background, with_normals=True)
    rendering.rgb.sum().backward()
    assert (rendering.rgb == background[:, :, None, None]).all()
    assert rendering.opacity.max() == 0
    assert rendering.depth.max() == 0


def test_penalties_are_weighted_scheduled_and_reach_the_field() -> None:
    nerf = small(lambda_orient=2.0, lambda_sparsity=(0.0, 1.0, 0.0, 0.5), lambda_opaque=0.5)
    rendering = nerf.render(evaluation_ring(1), resolution=8, background=torch.ones(1, 3), rays=generator(0))
    assert rendering.normals is None
    early, late = nerf.regularisation(rendering, 0.25), nerf.regularisation(rendering, 0.75)
    assert set(early) == {"orient", "sparsity", "opaque"}
    assert set(late) == {"orient", "opaque"}
    torch.testing.assert_close(early["sparsity"], 0.5 * (rendering.opacity**2 + 0.01).sqrt().mean())
    early["orient"].backward()
    assert all(parameter.grad is not None for parameter in nerf.parameters())
    assert max(parameter.grad.abs().max() for parameter in nerf.parameters() if parameter.grad is not None) > 0


def test_without_weights_there_are_no_penalties() -> None:
    nerf = small()
    rendering = nerf.render(evaluation_ring(1), resolution=4, background=torch.ones(1, 3))
    assert nerf.regularisation(rendering, 0.5) == {}


def test_every_parameter_has_its_step_size() -> None:
    nerf = small(learning_rate_encoding=0.5, learning_rate_network=0.25)
    rates = {id(parameter): group["lr"] for group in nerf.parameter_groups() for parameter in group["params"]}
    assert [rates[id(parameter)] for parameter in nerf.field.encoding.parameters()] == [0.5, 0.5]
    assert [rates[id(parameter)] for parameter in nerf.field.network.parameters()] == [0.25] * 4
    assert len(rates) == len(list(nerf.parameters()))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"radius": -1.0}, "radius: -1.0 is not a positive number"),
        ({"samples": 0}, "samples: 0 is not a positive number"),
        ({"occupancy_every": 0}, "occupancy_every: 0 is not a positive number"),
        ({"normal_step": 0.0}, "normal_step: 0.0 is not a positive number"),
        ({"learning_rate_network": float("nan")}, "learning_rate_network: nan is not a positive number"),
        ({"lambda_opaque": -0.1}, "lambda_opaque: -0.1 is not zero or a positive weight"),
        ({"encoding_settings": {"sides": 3}}, "encoding_settings: .*'sides': 3.* is not for 'dense_grid': .*'sides'"),
        ({"encoding": "dense"}, "unknown encoding 'dense': did you mean dense_grid"),
    ],
)
def test_refuses_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, LookupError), match=message):
        NeRF(**settings, init=generator(0))


def test_is_registered() -> None:
    assert scenes["nerf"] is NeRF

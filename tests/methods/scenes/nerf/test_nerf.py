"""The NeRF as a scene: it learns, it is the same twice, and its shortcuts change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from methods.camera_range import CameraRange
from methods.cameras import Cameras, evaluation_ring, sample_cameras
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes import scenes
from methods.scenes.nerf.encodings.dense_grid import DenseGrid
from methods.scenes.nerf.encodings.encoding import Encoding
from methods.scenes.nerf.encodings.hash_grid import HashGrid
from methods.scenes.nerf.marching.occupancy import OccupancyMarching
from methods.scenes.nerf.nerf import LearningRates, NeRF, NeRFScene
from methods.scenes.nerf.normals import NormalSettings
from methods.scenes.nerf.occupancy import OccupancySettings
from methods.scenes.nerf.penalties import PenaltyWeights

#: Reaches beyond the initial blob along x and y, and stays within it along z.
BOX = torch.tensor([0.7, 0.6, 0.2])


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(**settings: Any) -> NeRFScene:
    defaults: dict[str, Any] = {"marching": OccupancyMarching(42), "encoding": DenseGrid((8, 24))}
    return NeRF(**{**defaults, **settings}).build(GaussianPrior(), generator(0))


def image_of_box(cameras: Cameras, resolution: int) -> tuple[Tensor, Tensor]:
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


def fit(nerf: NeRFScene, *, steps: int, views: int = 1, resolution: int = 24) -> None:
    """Adam on images of the box over random grey, every draw from seeded generators."""
    optimiser = torch.optim.Adam(nerf.parameter_groups(), betas=(0.9, 0.99), eps=1e-15)
    camera, rays, greys = generator(1), generator(2), generator(3)
    for step in range(steps):
        cameras = sample_cameras(CameraRange(elevation_deg=(-10, 60)), views, camera)
        background = torch.rand(views, 1, generator=greys).expand(-1, 3)
        rgb, opacity = image_of_box(cameras, resolution)
        wanted = rgb + (1 - opacity) * background[:, :, None, None]
        rendering = nerf.render(cameras, resolution=resolution, background=background, generator=rays, training=True)
        penalties = nerf.regularisation(rendering, step / steps)
        loss = torch.stack([((rendering.rgb - wanted) ** 2).mean(), *penalties.values()]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        nerf.after_step(step, optimiser, rays)


@pytest.fixture(scope="module")
def fitted() -> NeRFScene:
    nerf = small(marching=OccupancyMarching(56), encoding=DenseGrid())
    fit(nerf, steps=100)
    return nerf


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@torch.no_grad()
def test_learns_a_box_from_images(fitted: NeRFScene) -> None:
    ring = evaluation_ring(3)
    rgb, opacity = image_of_box(ring, 48)
    rendering = fitted.render(ring, resolution=48, background=torch.ones(3, 3))
    psnr = -10 * ((rendering.rgb - (rgb + 1 - opacity)) ** 2).mean().log10()
    drawn, true = rendering.opacity > 0.5, opacity > 0.5
    assert psnr > 22
    assert (drawn & true).sum() / (drawn | true).sum() > 0.85
    hit = drawn & true
    assert ((rendering.depth[hit] > 2) & (rendering.depth[hit] < 4)).all()


@torch.no_grad()
def test_grows_beyond_the_blob_and_vanishes_within(fitted: NeRFScene) -> None:
    beyond, within = torch.tensor([[0.66, 0.5, 0.1], [-0.66, -0.5, 0.1]]), torch.tensor([[0.0, 0, 0.4], [0.1, 0, -0.4]])
    blob = small().field.density
    assert blob(beyond).max() < blob(within).min()
    assert fitted.field.density(beyond).min() > 5
    assert fitted.field.density(within).max() < 1
    assert fitted.occupancy.contains(beyond).all()
    assert not fitted.occupancy.contains(torch.tensor([[0.0, 0.0, 0.8], [0.5, 0.5, -0.6]])).any()


@torch.no_grad()
def test_normals_of_the_box_s_top_point_up(fitted: NeRFScene) -> None:
    above = evaluation_ring(1, elevation_deg=60)
    rendering = fitted.render(above, resolution=9, background=torch.ones(1, 3), outputs=("normals",))
    assert rendering.normals is not None
    assert rendering.normals.shape == (1, 3, 9, 9)
    assert rendering.normals[0, 2, 4, 4] > 0.5
    assert (rendering.normals.norm(dim=1, keepdim=True) <= rendering.opacity + 1e-5).all()


@torch.no_grad()
def test_culling_changes_nothing_that_can_be_seen(fitted: NeRFScene) -> None:
    ring, grey = evaluation_ring(2), torch.full((2, 3), 0.5)
    culled = fitted.render(ring, resolution=16, background=grey)
    kept = fitted.occupancy.occupied.clone()
    fitted.occupancy.occupied.fill_(True)
    whole = fitted.render(ring, resolution=16, background=grey)
    fitted.occupancy.occupied.copy_(kept)
    assert kept.float().mean() < 0.4
    assert (culled.rgb - whole.rgb).abs().max() < 0.05


@torch.no_grad()
def test_a_loaded_scene_renders_the_same(fitted: NeRFScene, tmp_path: Path) -> None:
    path = tmp_path / "scene.safetensors"
    safetensors.torch.save_file(fitted.state_dict(), path)
    loaded = NeRF(marching=OccupancyMarching(56)).build(GaussianPrior(), generator(9))
    loaded.load_state_dict(safetensors.torch.load_file(path))
    ring, white = evaluation_ring(2), torch.ones(2, 3)
    for name in ("rgb", "opacity", "depth"):
        first = getattr(fitted.render(ring, resolution=16, background=white), name)
        assert torch.equal(first, getattr(loaded.render(ring, resolution=16, background=white), name))


@pytest.mark.parametrize(
    "encoding", [DenseGrid((8, 32)), HashGrid(levels=3, log2_table_size=14)], ids=["dense_grid", "hash_grid"]
)
@pytest.mark.usefixtures("two_threads")
def test_the_same_seed_gives_the_same_bits(encoding: Encoding) -> None:
    states = []
    for _ in range(2):
        nerf = small(encoding=encoding, penalties=PenaltyWeights(orient=0.01))
        fit(nerf, steps=11, views=2, resolution=12)
        states.append(nerf.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@torch.no_grad()
def test_a_view_does_not_depend_on_its_batch() -> None:
    nerf, both = small(), evaluation_ring(2, elevation_deg=40)
    greys = torch.tensor([[0.2] * 3, [0.9] * 3])
    batch = nerf.render(both, resolution=8, background=greys).rgb
    torch.testing.assert_close(nerf.render(both[1:], resolution=8, background=greys[1:]).rgb, batch[1:])


def test_an_empty_scene_shows_the_background_and_can_be_stepped() -> None:
    nerf, background = small(), torch.tensor([[0.1, 0.5, 0.9]])
    nerf.occupancy.occupied.zero_()
    rendering = nerf.render(evaluation_ring(1), resolution=4, background=background, outputs=("normals",))
    rendering.rgb.sum().backward()
    assert (rendering.rgb == background[:, :, None, None]).all()
    assert rendering.opacity.max() == 0
    assert rendering.depth.max() == 0


def test_penalties_are_weighted_scheduled_and_reach_the_field() -> None:
    nerf = small(penalties=PenaltyWeights(orient=2.0, sparsity=(0.0, 1.0, 0.0, 0.5), opaque=0.5))
    view = {"resolution": 8, "background": torch.ones(1, 3)}
    rendering = nerf.render(evaluation_ring(1), **view, generator=generator(0), training=True)
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
    rendering = nerf.render(evaluation_ring(1), resolution=4, background=torch.ones(1, 3), training=True)
    assert nerf.regularisation(rendering, 0.5) == {}


def test_every_parameter_has_its_step_size() -> None:
    nerf = small(learning_rates=LearningRates(encoding=0.5, network=0.25))
    rates = {id(parameter): group["lr"] for group in nerf.parameter_groups() for parameter in group["params"]}
    assert [rates[id(parameter)] for parameter in nerf.field.encoding.parameters()] == [0.5, 0.5]
    assert [rates[id(parameter)] for parameter in nerf.field.network.parameters()] == [0.25] * 4
    assert len(rates) == len(list(nerf.parameters()))


@torch.no_grad()
def test_training_is_one_argument_whatever_the_gradient_and_the_generator() -> None:
    """A training render has penalties even without gradients, an evaluation render has none even with a generator."""
    nerf = small(penalties=PenaltyWeights(orient=1.0, z_variance=1.0))
    view = {"resolution": 6, "background": torch.ones(1, 3)}
    training = nerf.render(evaluation_ring(1), **view, training=True)
    assert training.penalties.keys() == {"orient", "z_variance"}
    assert nerf.render(evaluation_ring(1), **view, generator=generator(0)).penalties == {}


@torch.no_grad()
def test_a_state_of_other_shapes_can_be_loaded() -> None:
    grown = small(encoding=DenseGrid((8, 32)))
    nerf = small()
    nerf.resize(grown.state_dict())
    nerf.load_state_dict(grown.state_dict())
    ring, white = evaluation_ring(1), torch.ones(1, 3)
    loaded = nerf.render(ring, resolution=8, background=white).rgb
    assert torch.equal(loaded, grown.render(ring, resolution=8, background=white).rgb)
    assert all(parameter.requires_grad for parameter in nerf.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NeRF(radius=-1.0), "radius: -1.0 is not a positive number"),
        (lambda: NeRF(hidden=0), "hidden: 0 is not a positive width"),
        (lambda: OccupancyMarching(0), "samples: 0 is not a positive number"),
        (lambda: OccupancySettings(every=0), "every: 0 is not a positive number"),
        (lambda: NormalSettings(step=0.0), "step: 0.0 is not a positive number"),
        (lambda: LearningRates(network=float("nan")), "network: nan is not a positive number"),
        (lambda: PenaltyWeights(opaque=-0.1), "opaque: -0.1 is not zero or a positive weight"),
    ],
)
def test_refuses_bad_settings(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_is_registered() -> None:
    assert scenes["nerf"] is NeRF

"""Marching through nerfacc: its dense functions on the CPU, its kernels on a GPU, and stand-ins for them in between.

A stand-in is a loop over rays with the meaning that nerfacc's documentation gives a kernel, so that the calls of
this project, nerfacc's own pruning and what comes after run without a GPU.
"""

from __future__ import annotations

import importlib.util
import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from methods.cameras import evaluation_ring
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.nerf.marching import quadrature
from methods.scenes.nerf.marching.nerfacc import packed_samples
from methods.scenes.nerf.marching.occupancy import AutoMarcher, OccupancyMarching
from methods.scenes.nerf.marching.samples import Marching
from methods.scenes.nerf.nerf import NeRF, NeRFScene
from methods.scenes.nerf.occupancy import OccupancyGrid, OccupancySettings
from methods.settings import UnusablePackageError

if importlib.util.find_spec("nerfacc") is not None:
    with warnings.catch_warnings():  # of its source, which would be errors
        warnings.simplefilter("ignore")
        importlib.import_module("nerfacc")

installed = pytest.mark.skipif(importlib.util.find_spec("nerfacc") is None, reason="nerfacc is not installed")
on_gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="nerfacc's kernels need CUDA")]

#: Where the same checks run: with stand-ins, and with the kernels.
DEVICES = [pytest.param("cpu", id="stand-ins"), pytest.param("cuda", id="kernels", marks=on_gpu)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def packing(ray: Tensor, rays: int) -> Tensor:
    counts = torch.bincount(ray, minlength=rays)
    return torch.stack([counts.cumsum(0) - counts, counts], dim=-1)


def walk(origins: Tensor, directions: Tensor, cells: Tensor, boxes: Tensor, **how: Any) -> tuple[Any, Any, None]:
    """Stand-in for ``traverse_grids``: equal steps from near to far, those whose middle is in an occupied cell."""
    low, high = boxes[0, :3], boxes[0, 3:]
    rows, edges = [], []
    for ray, (near, far) in enumerate(zip(how["near_planes"].tolist(), how["far_planes"].tolist(), strict=True)):
        for step in range(int(max(far - near, 0) / how["step_size"] + 0.5)):
            start = near + step * how["step_size"]
            point = origins[ray] + directions[ray] * (start + how["step_size"] / 2)
            place = ((point - low) / (high - low) * cells.shape[1]).long()
            if (place >= 0).all() and (place < cells.shape[1]).all() and cells[0][tuple(place)]:
                rows.append(ray)
                edges.extend([start, start + how["step_size"]])
    ray, left = torch.tensor(rows, dtype=torch.long), torch.arange(len(edges)) % 2 == 0
    intervals = SimpleNamespace(vals=torch.tensor(edges), is_left=left, is_right=~left)
    return intervals, SimpleNamespace(ray_indices=ray, packed_info=packing(ray, len(origins))), None


def running_sum(starts: Tensor, counts: Tensor, values: Tensor, normalise: bool, backward: bool) -> Tensor:
    """Stand-in for the packed exclusive sum and its transpose."""
    sums = torch.zeros_like(values)
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        part = values[start : start + count]
        part = part.flip(0) if backward else part
        total = part.cumsum(0) - part
        sums[start : start + count] = total.flip(0) if backward else total
    return sums


@pytest.fixture
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> torch.device:
    if request.param == "cpu":
        monkeypatch.setattr("nerfacc.estimators.occ_grid.traverse_grids", walk)
        monkeypatch.setattr("nerfacc.cuda.exclusive_sum", running_sum)
        monkeypatch.setattr("nerfacc.pack_info", packing)
        monkeypatch.setattr("methods.scenes.nerf.marching.nerfacc.check_device", lambda device: None)
        monkeypatch.setattr("methods.scenes.nerf.marching.nerfacc.problem", lambda: None)
    return torch.device(request.param)


def by_nerfacc(samples: int = 84) -> OccupancyMarching:
    return OccupancyMarching(samples, "nerfacc")


def scene(device: torch.device, marching: Marching) -> NeRFScene:
    """The initial blob, at 3 % opacity per step and more."""
    return NeRF(marching=marching).build(GaussianPrior(), generator()).to(device)


def look(nerf: NeRFScene, **how: Any) -> Any:
    device = nerf.occupancy.density.device
    cameras = evaluation_ring(2).to(device)
    return nerf.render(cameras, resolution=8, background=torch.ones(2, 3, device=device), **how)


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"^marching.backend: 'nerfacc' needs the package nerfacc"):
        scene(torch.device("cpu"), by_nerfacc())


def test_one_that_does_not_work_is_refused_and_tried_only_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying it compiles it: a machine that only submits jobs has no GPU."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr("methods.scenes.nerf.marching.nerfacc.check_device", lambda device: None)
    nerf = scene(torch.device("cpu"), by_nerfacc())
    monkeypatch.setattr("methods.scenes.nerf.marching.nerfacc.problem", lambda: "does not work here (OSError: no)")
    expected = r"^marching.backend: 'nerfacc' needs .* and nerfacc does not work here \(OSError: no\); 'torch' works"
    with pytest.raises(UnusablePackageError, match=expected):
        look(nerf)


@installed
def test_a_cpu_is_refused_in_one_line() -> None:
    nerf = scene(torch.device("cpu"), by_nerfacc())
    with pytest.raises(RuntimeError, match=r"'nerfacc' needs a CUDA device, and the rays are on cpu"):
        look(nerf)


@installed
def test_a_step_is_that_of_threestudio() -> None:
    """``render_step_size`` for a radius of 2 and 512 samples."""
    assert 1 / by_nerfacc(512).build(2.0).samples_per_unit == pytest.approx(1.732 * 2 * 2 / 512)


def test_packed_samples_by_hand() -> None:
    origins, directions = torch.tensor([[0.0, 0, 0], [5, 0, 0], [0, 0, 1]]), torch.eye(3)
    ray = torch.tensor([0, 0, 2])
    samples = packed_samples(origins, directions, ray, torch.tensor([1.0, 2, 0.5]), torch.tensor([2.0, 4, 1.5]))
    assert samples.points.tolist() == [[1.5, 0, 0], [3, 0, 0], [0, 0, 2]]
    assert samples.stratum.tolist() == [0, 1, 0]
    assert samples.widths.tolist() == [1, 2, 1]
    assert samples.shape == (3, 2)


@installed
def test_dense_weights_and_sums_are_nerfacc_s() -> None:
    import nerfacc

    rays, strata = 6, 20
    edges = torch.rand(rays, strata + 1, generator=generator()).cumsum(-1)
    density = 3 * torch.rand(rays, strata, generator=generator(1))
    colours = torch.rand(rays * strata, 3, generator=generator(2))
    ray = torch.arange(rays).repeat_interleave(strata)
    origins, directions = torch.zeros(rays, 3), torch.eye(3).repeat(2, 1)
    samples = packed_samples(origins, directions, ray, edges[:, :-1].flatten(), edges[:, 1:].flatten())
    ours = quadrature.weights(density.flatten(), samples)
    theirs, _, _ = nerfacc.render_weight_from_density(edges[:, :-1], edges[:, 1:], density)
    torch.testing.assert_close(ours.view(rays, strata), theirs)
    sums = nerfacc.accumulate_along_rays(ours, colours, ray_indices=ray, n_rays=rays)
    torch.testing.assert_close(quadrature.accumulate(ours[:, None] * colours, samples), sums)


@installed
def test_our_occupied_cells_are_nerfacc_s_and_a_rim() -> None:
    import nerfacc

    def ball(points: Tensor) -> Tensor:
        return 5.0 * ((points - torch.tensor([0.2, -0.1, 0.3])).norm(dim=-1) < 0.5)

    ours = OccupancyGrid(OccupancySettings(16, decay=0.95), radius=1.0, samples_per_unit=1.0)
    ours.update(ball, generator())
    theirs = nerfacc.OccGridEstimator([-1.0] * 3 + [1.0] * 3, resolution=16, levels=1)
    with torch.random.fork_rng():  # its update draws from the global generator
        theirs.update_every_n_steps(step=0, occ_eval_fn=lambda points: ball(points)[:, None])
    wide = torch.nn.functional.max_pool3d(theirs.binaries.float(), 5, stride=1, padding=2)[0] > 0
    assert 0.05 < theirs.binaries.float().mean() < 0.15
    assert (ours.occupied | ~theirs.binaries[0]).all()
    assert (wide | ~ours.occupied).all()


@installed
@pytest.mark.parametrize("device", DEVICES, indirect=True)
def test_the_same_samples_give_the_same_weights_and_gradients(device: torch.device) -> None:
    nerf = scene(device, by_nerfacc(48))
    origins = torch.tensor([[3.0, 0, 0], [3, 0, 0.3], [3, 0, 2], [0, 3, 0]], device=device)
    directions = torch.tensor([[-1.0, 0, 0], [-1, 0, 0], [-1, 0, 0], [0, -1, 0]], device=device)
    samples = nerf.marcher.march(origins, directions, nerf.occupancy, nerf.field.density, None)
    assert samples.ray.unique().tolist() == [0, 1, 3]
    on_rays = origins[samples.ray] + directions[samples.ray] * samples.distances[:, None]
    torch.testing.assert_close(samples.points, on_rays)
    assert samples.points.norm(dim=-1).max() <= 1.0 + nerf.marcher.step
    found = []
    for weights in (nerf.marcher.weights, quadrature.weights):
        density = nerf.field.density(samples.points).detach().requires_grad_()
        weight = weights(density, samples)
        (slope,) = torch.autograd.grad((weight * samples.distances).sum(), density)
        found.append((weight.detach(), slope))
    for packed, dense in zip(*found, strict=True):
        torch.testing.assert_close(packed, dense, atol=1e-5, rtol=1e-4)


@installed
@pytest.mark.parametrize("device", DEVICES, indirect=True)
def test_both_backends_render_the_same(device: torch.device) -> None:
    """Colours, normals and the gradient of every parameter, with the same jitter.

    On an H200 the kernels differ by up to 3.1e-5: they place a step by adding up, and sum in another order each time.
    """
    allowed = 1e-5 if device.type == "cpu" else 1e-4
    found = []
    for backend in ("nerfacc", "torch"):
        nerf = scene(device, OccupancyMarching(256, backend))
        rendering = look(nerf, generator=generator(1), outputs=("normals",))
        loss = rendering.rgb.square().sum() + rendering.opacity.sum() + rendering.normals.square().sum()
        slopes = torch.autograd.grad(loss, list(nerf.field.parameters()))
        found.append((*rendering[:4], *slopes))
        assert 2 < rendering.diagnostics["samples_per_ray"] < 20
    for ours, theirs in zip(*found, strict=True):
        difference = torch.linalg.vector_norm(ours - theirs) / torch.linalg.vector_norm(theirs)
        assert difference < allowed


def test_auto_takes_what_works_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    marcher = OccupancyMarching().build(1.0)
    assert isinstance(marcher, AutoMarcher)
    monkeypatch.setattr(AutoMarcher, "_nerfacc", "nerfacc's marcher")
    for problem, device, expected in [
        (None, "cuda", "nerfacc's marcher"), (None, "cpu", marcher._torch), ("is old", "cuda", marcher._torch)
    ]:  # fmt: skip
        monkeypatch.setattr("methods.scenes.nerf.marching.nerfacc.problem", lambda problem=problem: problem)
        assert marcher._on(torch.device(device)) is expected
        backend = "torch" if expected is marcher._torch else "nerfacc"
        assert OccupancyMarching().backend_on(torch.device(device)) == backend
    assert by_nerfacc().backend_on(torch.device("cuda")) == "nerfacc"


@installed
@pytest.mark.parametrize("device", DEVICES, indirect=True)
def test_jitter_comes_from_the_generator_alone(device: torch.device) -> None:
    nerf = scene(device, by_nerfacc(48))
    before = torch.random.get_rng_state()
    first, again, other = (look(nerf, generator=generator(seed)).rgb for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.testing.assert_close(first, again)
    assert not torch.allclose(first, other, atol=1e-4)


@installed
@pytest.mark.parametrize("device", DEVICES, indirect=True)
def test_an_empty_scene_can_be_stepped(device: torch.device) -> None:
    nerf = scene(device, by_nerfacc(48))
    nerf.occupancy.occupied.zero_()
    rendering = look(nerf, generator=generator())
    rendering.rgb.sum().backward()
    assert rendering.opacity.max() == 0


@installed
@pytest.mark.parametrize("device", DEVICES, indirect=True)
def test_rays_in_pieces_have_the_same_samples(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    """All occupied steps of a large image would be in memory at once."""
    nerf, found, sizes = scene(device, by_nerfacc(48)), [], []
    rays = evaluation_ring(2).to(device).rays(6)
    origins, directions = rays.origins.reshape(-1, 3), rays.directions.reshape(-1, 3)
    jitter = torch.rand(len(origins), generator=generator()).to(device)

    def density(points: Tensor) -> Tensor:
        sizes.append(len(points))
        return nerf.field.density(points)

    for steps in (2**24, 300):
        monkeypatch.setattr("methods.scenes.nerf.marching.nerfacc.STEPS_AT_ONCE", steps)
        found.append(nerf.marcher.march(origins, directions, nerf.occupancy, density, jitter))
    assert max(sizes[1:]) <= 300 < sizes[0]
    for whole, pieces in zip(*found, strict=True):
        assert torch.equal(whole, pieces) if isinstance(whole, Tensor) else whole == pieces


@installed
@pytest.mark.parametrize("device", DEVICES, indirect=True)
def test_a_density_that_is_not_a_number_shows(device: torch.device) -> None:
    """nerfacc leaves such a sample out, and the image of a broken scene would be empty."""
    nerf = scene(device, by_nerfacc(48))
    origins = torch.tensor([[3.0, 0, 0]], device=device)
    directions = torch.tensor([[-1.0, 0, 0]], device=device)
    samples = nerf.marcher.march(origins, directions, nerf.occupancy, lambda points: torch.nan * points[:, 0], None)
    assert len(samples.ray) == 1

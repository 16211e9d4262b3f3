"""Estimated costs of cells, and how they follow from counts and from the GPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import bench.forecast.estimate
from bench.forecast.counting_prior import Request
from bench.forecast.estimate import Estimate, Estimator
from bench.forecast.gpus import LAUNCH_SECONDS, PAPERS_GPU, Gpu, gpu_named, gpus
from bench.forecast.network_costs import NetworkCosts
from bench.forecast.scene_costs import SceneCosts, scene_costs
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import parse_study
from methods.priors.loading import architecture_of
from methods.registry import UnknownNameError

FIELDS: dict[str, Any] = {
    "name": "cost", "title": "Cost", "prior": "toybox", "scorers": "toybox", "prompts": "toybox",
    "prompt_ids": ["blue-duck"], "metrics": ["ground_truth"], "baseline": "sds", "methods": {"sds": {}},
    "steps": 1000, "render": {"resolution": 64}, "evaluation": {"views": 2, "resolution": 32},
    "scene": {"name": "nerf", "marching": {"name": "occupancy", "samples": 40}},
}  # fmt: skip


def _cell(**more: Any) -> Cell:
    return expand(parse_study(FIELDS | more, where="cost"))[0]


def _estimate(cell: Cell, gpu: Gpu | None = None) -> Estimate:
    return Estimator(architecture_of(cell.prior.name), gpu or gpus["a100"])(cell)


def test_seconds_are_operations_over_the_shares_of_the_peaks_or_those_of_the_host() -> None:
    """The toybox's networks run in float32; on a fast GPU the host needs longer to start them."""
    gpu, cell = gpus["a100"], _cell()
    scene, networks = scene_costs(cell), NetworkCosts(architecture_of("toybox"))
    slow = _estimate(cell, replace(gpu, single_teraflops=1e-3))
    rendering, evaluating = 1e9 * gpu.scene_share, 1e9 * gpu.network_share
    step = slow.step.scene / rendering + (slow.step.vae + slow.step.unet) / evaluating
    assert slow.step.seconds == pytest.approx(step)
    assert slow.seconds == pytest.approx(1000 * step + 2 * 32**2 * scene.evaluation_operations / rendering)
    fast = _estimate(cell, replace(gpu, single_teraflops=1e6))
    requests = (Request("unet", has_gradient=False), Request("encoder", has_gradient=True))
    launches = scene.launches + sum(networks.of(request).launches for request in requests)
    assert fast.step.seconds == pytest.approx(launches * LAUNCH_SECONDS)
    assert fast.seconds == pytest.approx((1000 * launches + 2 * scene.forward_launches) * LAUNCH_SECONDS)
    assert fast.step[:4] == slow.step[:4]
    assert fast.step.unet_rows == 2


def test_a_stage_counts_by_its_share_of_the_steps() -> None:
    low, high, both = (
        _estimate(_cell(prior="gaussian", render={"resolution": each}), gpus["h200"]).step.scene
        for each in (16, 64, [[0.0, 16], [0.25, 64]])
    )
    assert high == pytest.approx(16 * low)
    assert both == pytest.approx(0.25 * low + 0.75 * high)


def test_a_render_that_does_not_fit_into_one_block_is_rendered_twice_and_holds_one_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By hand: 128² rays of ten samples, of which a device of 1 GiB takes 12782 at once, an eighth at 10.5 kB each."""
    scene = SceneCosts(
        has_latents=False, state_bytes=7, parameter_bytes=600, samples=10, operations=100, forward_operations=30,
        evaluation_operations=20, launches=40, forward_launches=10, held_bytes=1000, marching_bytes=50,
        rays_at_once=100,
    )  # fmt: skip
    monkeypatch.setattr(bench.forecast.estimate, "scene_costs", lambda cell: scene)
    cell, rays = _cell(prior="gaussian", render={"resolution": 128}), 128**2
    whole, in_blocks = (_estimate(cell, replace(gpus["a100"], memory_gib=memory)) for memory in (80, 1))
    assert whole.step.scene == rays * 100
    assert in_blocks.step.scene == rays * (100 + 30)
    assert whole.peak_bytes == 600 + rays * 1000
    assert in_blocks.peak_bytes == pytest.approx(600 + 12782 / 10 * 1000, abs=1)
    seconds = [estimate.step.seconds / LAUNCH_SECONDS for estimate in (whole, in_blocks)]
    assert seconds == pytest.approx([40, 50 * rays * 10 / 12782])
    kernels = scene._replace(backend="triton", held_bytes=200_000)  # more than an eighth of the memory in 44739 samples
    monkeypatch.setattr(bench.forecast.estimate, "scene_costs", lambda cell: kernels)
    more_at_once = _estimate(cell, replace(gpus["a100"], memory_gib=1))
    assert more_at_once.step.seconds / LAUNCH_SECONDS == pytest.approx(50 * rays * 10 / 44739)
    assert more_at_once.peak_bytes == 600 + 2**30 // 8
    asked = _cell(prior="gaussian", render={"resolution": 128}, scene=FIELDS["scene"] | {"samples_at_once": 10_000})
    assert _estimate(asked, gpus["a100"]).peak_bytes == pytest.approx(600 + 10_000 / 10 * 200_000, abs=1)
    marched = scene._replace(marching_bytes=50_000)
    monkeypatch.setattr(bench.forecast.estimate, "scene_costs", lambda cell: marched)
    assert _estimate(cell, replace(gpus["a100"], memory_gib=1)).peak_bytes == 600 + 100 * 50_000


def test_weights_a_trained_copy_and_what_waits_in_the_encoder_are_in_the_memory() -> None:
    networks = NetworkCosts(architecture_of("toybox"))
    sds, vsd = (_estimate(_cell(baseline=name, methods={name: {}}, scene={"name": "image"})) for name in ("sds", "vsd"))
    assert sds.peak_bytes > networks.weight_bytes + networks.of(Request("encoder", has_gradient=True)).held_bytes
    trained = networks.of(Request("adapted", has_gradient=True), 4)
    evaluated = networks.of(Request("unet", has_gradient=False))
    assert vsd.peak_bytes - sds.peak_bytes == pytest.approx(
        networks.trained_bytes(4) + trained.peak_bytes - 2 * evaluated.peak_bytes, abs=1
    )


def test_gaussians_are_counted_in_an_image_of_as_many_for_a_pixel() -> None:
    """Against a count at the render's own size; a small image of all of them would have every one at each pixel."""
    scene = {"name": "gaussians", "count": 2000, "size": 0.02}
    large = _cell(scene=scene, render={"resolution": 128})
    found = scene_costs(large)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.forecast.scene_costs, "_MINIATURE_SIDE", 128)
        whole = scene_costs(large)
    for name in ("operations", "held_bytes", "evaluation_operations"):
        assert getattr(found, name) == pytest.approx(getattr(whole, name), rel=0.2), name
    assert found.parameter_bytes == 6 * 4 * 14 * 2000


def test_a_scene_costs_more_with_normals_and_a_prior_without_networks_costs_nothing() -> None:
    plain = scene_costs(_cell())
    orient = FIELDS["scene"] | {"penalties": {"orient": 1.0}}
    normals = scene_costs(_cell(scene=orient))
    assert normals.operations > 1.3 * plain.operations
    assert normals.held_bytes > plain.held_bytes
    assert normals.samples == pytest.approx(plain.samples, rel=0.05)
    found = _estimate(_cell(prior="gaussian"))
    assert (found.step.unet, found.step.vae) == (0, 0)
    assert found.step.scene > 0


def test_flat_scenes_have_no_samples_and_latents_no_encoder() -> None:
    flat = {"divergence": {"opaque_opacity": 1.0}}
    image, latents = (
        _estimate(_cell(scene={"name": "image"}, **flat)),
        _estimate(_cell(scene={"name": "latent"}, **flat)),
    )
    assert image.step.vae > 0
    assert latents.step.vae == 0
    assert scene_costs(_cell(scene={"name": "latent"})).has_latents
    assert 0 < latents.peak_bytes < image.peak_bytes


def test_gaussians_that_gsplat_draws_are_counted_without_it_and_hold_less_than_in_plain_torch() -> None:
    def cell(rasteriser: str) -> Cell:
        scene = {"name": "gaussians", "count": 500, "rasteriser": rasteriser}
        return _cell(prior="gaussian", scene=scene, render={"resolution": 32})

    plain, fused = scene_costs(cell("torch")), scene_costs(cell("gsplat"))
    assert (fused.operations, fused.parameter_bytes) == (plain.operations, plain.parameter_bytes)
    assert 0 < fused.held_bytes < plain.held_bytes / 4


@pytest.mark.parametrize("name", gpus.names())
def test_gpus_have_plausible_figures_with_their_sources(name: str) -> None:
    gpu = gpus[name]
    assert 15 < gpu.single_teraflops < gpu.half_teraflops < 1000
    assert 24 <= gpu.memory_gib <= 141
    assert gpu.memory_bytes == gpu.memory_gib * 2**30
    assert 0.1 <= gpu.network_share <= 0.5
    assert gpu.source.startswith("NVIDIA ")


@pytest.mark.parametrize(
    ("driver", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "h100"), ("NVIDIA H200", "h200"), ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA RTX A6000", "a6000"), ("NVIDIA GeForce RTX 4090", "4090"), ("NVIDIA L40S", "l40s"),
        ("Tesla V100-SXM2-32GB", "v100"),
    ],
)  # fmt: skip
def test_a_gpu_is_known_by_what_its_driver_calls_it(driver: str, name: str) -> None:
    assert gpu_named(driver) is gpus[name]


def test_other_devices_are_not_taken_for_one_of_the_table() -> None:
    for device in ("AMD EPYC 7763", "NVIDIA RTX 6000 Ada Generation", "NVIDIA L40", "NVIDIA GeForce RTX 3090", ""):
        assert gpu_named(device) is None
    assert gpus[PAPERS_GPU].title == "RTX A6000"
    with pytest.raises(UnknownNameError, match=r"unknown GPU 'h10': did you mean h100\?"):
        gpus["h10"]


@pytest.mark.parametrize(
    ("encoding", "backend"),
    [
        ({"name": "hash_grid"}, "triton"),
        ({"name": "progressive_bands"}, "triton"),
        ({"name": "hash_grid", "backend": "torch"}, "torch"),
        ({"name": "dense_grid"}, None),
    ],
)
def test_the_backend_that_a_gpu_takes_is_the_one_that_blocks_are_sized_for(
    encoding: dict[str, str], backend: str | None
) -> None:
    assert scene_costs(_cell(scene=FIELDS["scene"] | {"encoding": encoding})).backend == backend

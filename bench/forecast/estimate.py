"""Cost of a cell on a GPU that is not here, from counted operations and bytes, without weights."""

from __future__ import annotations

import math
from typing import NamedTuple

from bench.forecast.counted_steps import CountedSteps, count_steps
from bench.forecast.gpus import LAUNCH_SECONDS, Gpu
from bench.forecast.network_costs import NetworkCosts
from bench.forecast.scene_costs import SceneCosts, scene_costs
from bench.forecast.timed_steps import disk_bytes, stages, views_of
from bench.study.cell import Cell
from methods.priors.pipeline.architecture import Architecture
from methods.scenes.nerf.blocks import block_bytes, samples_in

_TERA = 1e12

#: The networks whose rows a record counts.
_DENOISERS = ("unet", "adapted")


class StepWork(NamedTuple):
    """The mean step of an optimisation."""

    unet_rows: float
    """Rows of the UNet and its adapted copy."""
    unet: float
    """Operations of the UNet and its adapted copy."""
    vae: float
    """Operations of the autoencoder."""
    scene: float
    """Operations of the scene."""
    seconds: float
    """Seconds of the step."""
    is_half: bool
    """Whether the networks run in float16."""


class Estimate(NamedTuple):
    """Estimated cost of a whole cell."""

    seconds: float
    peak_bytes: int
    disk_bytes: int  # an upper bound: images are counted without PNG's compression
    step: StepWork


class Estimator:
    """Estimates cells of one prior on one GPU.

    Args:
        architecture: The shapes of the prior's networks; None for a prior without networks.
        gpu: The GPU.
        resolution: Side in pixels of the images that the prior sees; None for its own.
    """

    def __init__(self, architecture: Architecture | None, gpu: Gpu, resolution: int | None = None) -> None:
        self._networks = None if architecture is None else NetworkCosts(architecture, resolution)
        self._gpu = gpu
        self._scene_speed = gpu.single_teraflops * _TERA * gpu.scene_share
        self._scenes: dict[str, SceneCosts] = {}  # arms share them

    def __call__(self, cell: Cell) -> Estimate:
        """The cost of ``cell``.

        Raises:
            InputError: If settings are not those of the cell's scene or method.
        """
        scene = self._scene(cell)
        counted = count_steps(cell, has_latents=scene.has_latents)
        operations = rendering = 0.0
        for stage in stages(cell.render):
            share, (more, seconds) = stage.end - stage.start, self._render(cell, scene, stage.side)
            operations, rendering = operations + share * more, rendering + share * seconds
        unet, vae, evaluating = self._evaluate(counted)
        step = StepWork(
            unet_rows=sum(rows for request, rows in counted.rows.items() if request.network in _DENOISERS),
            unet=unet,
            vae=vae,
            scene=operations,
            seconds=evaluating + rendering,
            is_half=self._networks is not None and self._networks.is_half,
        )
        shown = cell.evaluation.resolution**2 * scene.evaluation_operations
        view = max(shown / self._scene_speed, scene.forward_launches * LAUNCH_SECONDS)
        event_bytes = max(len(event.model_dump_json()) + 1 for event in counted.events)
        return Estimate(
            seconds=cell.steps * step.seconds + views_of(cell) * view,
            peak_bytes=self._peak(cell, scene, counted),
            disk_bytes=disk_bytes(cell, scene.state_bytes, event_bytes),
            step=step,
        )

    def _scene(self, cell: Cell) -> SceneCosts:
        key = cell.model_dump_json(include={"scene", "cameras", "evaluation", "render"})
        if key not in self._scenes:
            self._scenes[key] = scene_costs(cell)
        return self._scenes[key]

    def _blocks(self, cell: Cell, scene: SceneCosts, side: int) -> float:
        """Blocks that a step's renders of ``side`` pixels are back-propagated in, 1 for all at once."""
        asked = cell.scene.get("samples_at_once")
        at_once = asked if isinstance(asked, int) else samples_in(self._gpu.memory_bytes, scene.backend)
        return max(1.0, scene.samples * cell.views_per_step * side**2 / at_once)

    def _render(self, cell: Cell, scene: SceneCosts, side: int) -> tuple[float, float]:
        """Operations and seconds of a step's renders of ``side`` pixels; those in blocks are rendered twice."""
        blocks = self._blocks(cell, scene, side)
        operations, launches = scene.operations, scene.launches * blocks
        if blocks > 1:
            operations, launches = operations + scene.forward_operations, launches + scene.forward_launches * blocks
        operations *= cell.views_per_step * side**2
        return operations, max(operations / self._scene_speed, launches * LAUNCH_SECONDS)

    def _evaluate(self, counted: CountedSteps) -> tuple[float, float, float]:
        """Operations of the UNet and the autoencoder in a mean step, and seconds of both."""
        if self._networks is None:
            return 0.0, 0.0, 0.0
        peak = self._gpu.half_teraflops if self._networks.is_half else self._gpu.single_teraflops
        unet = vae = seconds = 0.0
        for request, rows in counted.rows.items():
            cost = self._networks.of(request, counted.rank)
            operations, launches = rows * cost.operations, counted.calls[request] * cost.launches
            seconds += max(operations / (peak * _TERA * self._gpu.network_share), launches * LAUNCH_SECONDS)
            if request.network in _DENOISERS:
                unet += operations
            else:
                vae += operations
        return unet, vae, seconds

    def _peak(self, cell: Cell, scene: SceneCosts, counted: CountedSteps) -> int:
        """Bytes of weights, parameters and the larger of a step's two halves: networks forward, and scene."""
        side = stages(cell.render)[0].side
        rays = cell.views_per_step * side**2
        whole = rays * scene.held_bytes
        blocks = self._blocks(cell, scene, side)
        block = whole / blocks
        if scene.backend == "triton" and cell.scene.get("samples_at_once") is None:
            block = min(block, block_bytes(self._gpu.memory_bytes))  # counted in plain torch, where more waits
        marched = scene.marching_bytes * min(max(side, cell.evaluation.resolution) ** 2, scene.rays_at_once)
        held = 0.0 if blocks > 1 else block
        weights, running = float(scene.parameter_bytes), 0.0
        if self._networks is not None:
            weights += self._networks.weight_bytes + self._networks.trained_bytes(counted.rank)
            for request, rows in counted.largest.items():
                cost = self._networks.of(request, counted.rank)
                if request.network == "encoder":
                    held += rows * cost.held_bytes
                else:
                    running = max(running, rows * cost.peak_bytes)
        return math.ceil(weights + max(held + running, block, marched))

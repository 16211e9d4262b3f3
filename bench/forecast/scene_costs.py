"""Operations and memory of a scene's renders, counted on small ones of the scene as it starts."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from bench.cells.evaluation import OUTPUTS
from bench.forecast.operations import count_operations
from bench.forecast.timed_steps import stages
from bench.study.cell import Cell
from bench.study.resolve import cell_scene
from methods.cameras import Cameras, sample_cameras
from methods.contracts import Rendering
from methods.inputs import with_inputs
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.nerf.marching.steps import STEPS_AT_ONCE
from methods.scenes.nerf.nerf import NeRFScene
from methods.scenes.portable import portable
from methods.scenes.scene import Scene, SceneSettings

#: Side of the counted renders, pixels: what is counted grows with the number of rays.
_SIDE = 8

#: Side of those of a scene whose settings depend on the size of the image (``SceneSettings.miniature``), pixels.
_MINIATURE_SIDE = 64

#: Progress of the counted renders, because a material changes over an optimisation, and cameras of each: the samples of
#: a ray depend on the camera.
_PROGRESS, _CAMERAS = (0.125, 0.375, 0.625, 0.875), 4

#: Tensors like each parameter: itself, its gradient, Adam's moments, and two copies by which a frozen scene is found.
_COPIES = 6


class SceneCosts(NamedTuple):
    """Costs of a scene's renders, by ray but for ``launches``."""

    has_latents: bool
    """Whether it renders latents, which no encoder sees."""
    state_bytes: int
    """Bytes of it that are saved."""
    parameter_bytes: int
    """Bytes of the parameters with their gradients and moments."""
    samples: float
    """Samples of a ray that have a gradient; 0 for a scene without samples."""
    operations: float
    """Operations of a render of the optimisation with its gradient."""
    forward_operations: float
    """Operations of such a render without a gradient."""
    evaluation_operations: float
    """Operations of a view of the evaluation."""
    launches: float
    """Operators that the host starts for a render of the optimisation, whatever its rays."""
    forward_launches: float
    """Operators of a render without a gradient."""
    held_bytes: float
    """Bytes that wait for the gradient."""
    marching_bytes: float
    """The most bytes of a render without a gradient, for each ray that is marched at once."""
    rays_at_once: float
    """Rays that are marched at once."""
    backend: str | None = None
    """The encoding's backend on a GPU, which decides how many samples are back-propagated at once."""


def scene_costs(cell: Cell) -> SceneCosts:
    """The costs of a cell's scene, around its first step, counted with code that runs everywhere.

    Args:
        cell: The cell.

    Raises:
        InputError: If the settings are not those of the scene.
        ValueError: If they do not go together.
    """
    generator = torch.Generator().manual_seed(0)
    written: SceneSettings = with_inputs(cell_scene(cell), lambda _, part: part.stand_in())
    settings = portable(written)
    whole = settings.build(GaussianPrior(), generator)
    full = stages(cell.render)[0].side
    scene, side = whole, _SIDE
    if settings.miniature(full, _SIDE) is not settings:
        side = min(full, _MINIATURE_SIDE)
        scene = settings.miniature(full, side).build(GaussianPrior(), generator)
    with_gradient = forward = launches = forward_launches = held = samples = 0.0
    for progress in _PROGRESS:
        scene.before_step(progress)
        cameras = sample_cameras(cell.cameras.at(progress), _CAMERAS, generator)
        with count_operations() as counted:
            rendering = _render(scene, cameras, side, generator)
            held += counted.live_bytes
            launches += counted.launches / len(_PROGRESS)
            seen = rendering.latents if rendering.rgb is None else rendering.rgb
            penalties = scene.regularisation(rendering, progress).values()
            sum(penalties, start=torch.zeros(())).add(0 if seen is None else seen.sum()).backward()
        with_gradient += counted.all
        samples += rendering.diagnostics.get("samples_per_ray", 0.0) / len(_PROGRESS)
        with torch.no_grad(), count_operations() as counted:
            _render(scene, cameras, side, generator)
        forward += counted.all
        forward_launches += counted.launches / len(_PROGRESS)
    ring = cell.evaluation.cameras()[:: max(1, cell.evaluation.views // _CAMERAS)][:_CAMERAS]
    with torch.no_grad(), count_operations() as counted:
        scene.render(ring, resolution=side, background=torch.ones(len(ring), 3), outputs=OUTPUTS)
    parameters = sum(value.numel() * value.element_size() for value in whole.parameters())
    rays = len(_PROGRESS) * _CAMERAS * side**2
    kept = written.kept_bytes(full, sample_cameras(cell.cameras, 64, generator))
    return SceneCosts(
        has_latents=rendering.rgb is None,
        state_bytes=sum(value.numel() * value.element_size() for value in whole.state_dict().values()),
        parameter_bytes=_COPIES * parameters,
        samples=samples,
        operations=with_gradient / rays,
        forward_operations=forward / rays,
        evaluation_operations=counted.all / (len(ring) * side**2),
        launches=launches,
        forward_launches=forward_launches,
        held_bytes=held / rays if kept is None else kept / full**2,
        marching_bytes=counted.peak_bytes / (len(ring) * side**2),
        rays_at_once=_rays_at_once(scene),
        backend=_backend(written),
    )


def _render(scene: Scene, cameras: Cameras, side: int, generator: torch.Generator) -> Rendering:
    background = torch.ones(len(cameras), 3)
    return scene.render(cameras, resolution=side, background=background, generator=generator, training=True)


def _backend(written: SceneSettings) -> str | None:
    """The backend that reads the hash grid where Triton works, which is so on every GPU of the table."""
    encoding = getattr(written, "encoding", None)
    found = getattr(getattr(encoding, "encoding", encoding), "backend", None)  # of progressive bands, that within
    return "triton" if found == "auto" else found


def _rays_at_once(scene: Scene) -> float:
    if not isinstance(scene, NeRFScene):
        return math.inf
    return max(1, STEPS_AT_ONCE // math.ceil(2 * scene.settings.radius * scene.marcher.samples_per_unit))

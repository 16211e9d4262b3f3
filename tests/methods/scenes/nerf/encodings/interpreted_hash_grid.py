"""Run with TRITON_INTERPRET=1: prints as JSON how far the kernels are from plain torch, relative to the largest value.

A program of its own, because the interpreter has to be chosen before Triton is imported, by whatever imports it.
"""

from __future__ import annotations

import itertools
import json
import sys
import warnings
from typing import Any

import torch
from torch import Tensor

from methods.cameras import evaluation_ring
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.nerf.backgrounds.environment_map import EnvironmentMap
from methods.scenes.nerf.encodings import hash_grid_triton
from methods.scenes.nerf.encodings.encoding import EncodingModule
from methods.scenes.nerf.encodings.hash_grid import HashGrid
from methods.scenes.nerf.encodings.progressive_bands import ProgressiveBands, ProgressiveBandsModule
from methods.scenes.nerf.field import Blob, Field
from methods.scenes.nerf.marching.occupancy import OccupancyMarching
from methods.scenes.nerf.materials.point_light import PointLight
from methods.scenes.nerf.nerf import NeRF
from methods.scenes.nerf.normals import NormalSettings
from methods.scenes.nerf.occupancy import OccupancySettings
from methods.scenes.nerf.penalties import PenaltyWeights

#: Two levels with a row for each corner, and one that is hashed.
GRID = {"levels": 3, "log2_table_size": 7, "base_resolution": 3, "finest_resolution": 8, "initial_bound": 1.0}

QUANTITIES = (
    "features", "gradient in the table", "gradient in the points", "normals",
    "table from normals", "points from normals", "hidden layer from normals", "last layer from normals",
)  # fmt: skip


def points_of(name: str) -> Tensor:
    """Points of the unit cube ``(n 3)`` by the name of a case."""
    generator = torch.Generator().manual_seed(0)
    if name == "empty":
        return torch.zeros(0, 3)
    if name == "one":
        return torch.tensor([[0.3, 0.9, 0.2]])
    corners = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))
    on_a_face, outside = torch.rand(30, 3, generator=generator), 3 * torch.rand(30, 3, generator=generator) - 1
    for row, (axis, side) in enumerate(itertools.islice(itertools.cycle(itertools.product(range(3), (0.0, 1.0))), 30)):
        on_a_face[row, axis] = side
    inside_edges = torch.tensor([[1 / 3, 2 / 3, 0.5], [0.5, 0.25, 1.0], [0.125, 0.0, 0.875]])
    return torch.cat([torch.rand(70, 3, generator=generator), corners, on_a_face, outside, inside_edges])


def transposed(values: Tensor) -> Tensor:
    """The same values in another order of memory, in which points and gradients may come."""
    return values.T.contiguous().T


def quantities(encoding: EncodingModule, points: Tensor) -> dict[str, Tensor]:
    """Features, normals and their gradients, with everything that a scene puts around an encoding."""
    bands = ProgressiveBandsModule(ProgressiveBands(levels=3, start_level=2), encoding)
    bands.mask[-1] = 0.5
    draws = torch.Generator().manual_seed(2)
    network = Field(bands, radius=0.5, hidden=8, blob=Blob(), generator=draws, networks="separate").network
    points = transposed(points).requires_grad_()
    features = bands(points)
    features.register_hook(transposed)
    of_table, of_points = torch.autograd.grad(features.square().sum(), (encoding.table, points), retain_graph=True)
    level = network.density(features)
    (slope,) = torch.autograd.grad(level.sum(), points, create_graph=True)
    normals = torch.nn.functional.normalize(-slope, dim=-1)
    loss = (normals * torch.tensor([1.0, -2.0, 0.5])).sum() + normals[:, 0].square().sum() + level.square().sum()
    of_normals = torch.autograd.grad(loss, (encoding.table, points, *network.of_density.parameters()))
    values = (features, of_table, of_points, normals, *of_normals)
    return {name: value.detach() for name, value in zip(QUANTITIES, values, strict=True)}


def step_of_a_scene(backend: Any) -> dict[str, Tensor]:
    """Render, normals and the gradient of each parameter of a small scene with everything that table 1's has."""
    made = GRID | {"initial_bound": 100.0}  # the grid counts for as much as the blob
    grid = HashGrid(**made, layout="tiny_cuda_nn", backend=backend)
    settings = NeRF(
        encoding=ProgressiveBands(grid, levels=3, start_level=3),
        material=PointLight(lit_share=1.0, textureless_share=0.0),
        background=EnvironmentMap(),
        networks="separate",
        normals=NormalSettings("analytic", weight=0.0),
        radius=2.0,
        marching=OccupancyMarching(24),
        occupancy=OccupancySettings(resolution=4),
        penalties=PenaltyWeights(orient=0.1, sparsity=0.15, opaque=0.1, z_variance=1.0, convex=1.0),
    )
    draws = torch.Generator().manual_seed(0)
    scene = settings.build(GaussianPrior(), draws)
    assert scene.backends()["encoding"] == backend
    scene.before_step(0.5)
    rendering = scene.render(
        evaluation_ring(1, distance=1.75, fovy_deg=55.0), resolution=4, background=torch.ones(1, 3),
        generator=draws, training=True, outputs=("normals",),
    )  # fmt: skip
    (rendering.rgb.square().mean() + sum(scene.regularisation(rendering, 0.2).values())).backward()
    images = {"rgb": rendering.rgb.detach(), "normals": rendering.normals.detach()}
    return images | {name: parameter.grad for name, parameter in scene.named_parameters()}


def difference(ours: Tensor, plain: Tensor) -> float:
    """The largest difference over the largest value; of nothing, 0."""
    assert ours.shape == plain.shape
    if plain.numel() == 0 or torch.equal(ours, plain):
        return 0.0
    return float((ours - plain).abs().max() / plain.abs().max())


def main() -> None:
    """Compare all cases."""
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    with torch.no_grad():  # as the first density of a march is read
        hash_grid_triton._use(None, device="cpu")
    found = {}
    for layout, points, width in itertools.product(("paper", "tiny_cuda_nn"), ("many", "one", "empty"), (2, 3)):
        if (width == 3) != (points == "one"):  # a width that is no power of two, on few points
            continue
        grid = HashGrid(**GRID, features_per_level=width, layout=layout, backend="triton")
        encoding = grid.build(torch.Generator().manual_seed(0))
        assert encoding.backend_on(torch.device("cpu")) == "triton"
        ours = quantities(encoding, points_of(points))
        encoding.backend = "torch"
        plain = quantities(encoding, points_of(points))
        found[f"{layout}, {points}"] = {name: difference(ours[name], plain[name]) for name in plain}
    ours, plain = step_of_a_scene("triton"), step_of_a_scene("torch")
    found["scene"] = {name: difference(ours[name], plain[name]) for name in plain}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()

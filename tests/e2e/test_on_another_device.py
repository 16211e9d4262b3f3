"""Whole steps, evaluation and scorers on a device that is not there: every tensor on it, and no wait that is not known.

Networks are Stable Diffusion's classes with random weights; the numbers are those of the same cell on the CPU.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from another_device import ELSEWHERE, AnotherDevice

from bench.cells.evaluation import render_ring
from bench.cells.optimisation import Optimisation
from bench.records.outcome import Images
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import parse_study
from methods.distillation import methods
from methods.priors.pipeline.diffusers_prior import DiffusersPrior
from metrics import metrics
from metrics.views import Views

pytestmark = pytest.mark.e2e

HASH_GRID = {"name": "hash_grid", "levels": 4, "log2_table_size": 8, "base_resolution": 4, "finest_resolution": 16,
             "layout": "tiny_cuda_nn"}  # fmt: skip
PENALTIES = {"orient": 0.1, "sparsity": 0.1, "opaque": 0.1, "convex": 0.1, "z_variance": 1.0}
NERF = {"name": "nerf", "marching": {"name": "occupancy", "samples": 14},
        "encoding": {"name": "dense_grid", "resolutions": [8, 16]}}  # fmt: skip
LIT = {"material": {"name": "point_light", "albedo_until": 0.0, "lit_share": 1.0}, "penalties": PENALTIES}

GAUSSIANS = {"name": "gaussians", "count": 40}

#: Scenes without kernels of other libraries.
SCENES: dict[str, dict[str, Any]] = {
    "image": {"name": "image", "side": 16},
    "latent": {"name": "latent"},
    "nerf": NERF,
    "hash grid": NERF | {"encoding": HASH_GRID, "networks": "separate"},
    "bands": NERF | {"encoding": {"name": "progressive_bands", "levels": 4, "start_level": 2, "encoding": HASH_GRID}},
    "differences": NERF | LIT,
    "analytic": NERF | LIT | {"encoding": HASH_GRID, "normals": {"kind": "analytic", "weight": 0.0}},
    "some analytic": NERF | LIT | {"encoding": HASH_GRID, "normals": {"kind": "analytic"}},
    "environment": NERF | {"background": "environment_map"},
    "flat backgrounds": NERF | {"background": {"name": "environment_map", "flat_share": 1.0}},
    "blocks": NERF | {"samples_at_once": 100},
    "gaussians": GAUSSIANS,
    "noise": GAUSSIANS | {"density": {"name": "fixed", "noise": 1e3}},
    "relocation": GAUSSIANS | {"density": {"name": "fixed", "every": 1, "end": 1.0, "min_opacity": 0.1, "noise": 0.0}},
    "adaptive": GAUSSIANS | {"density": {"name": "adaptive", "every": 1, "end": 1.0, "gradient": 0.01}},
}

#: Operations of a render that the host waits for, because the number of samples decides what is computed next.
OF_RENDERING = {"aten.nonzero.default", "aten.bincount.default"}
OF_DENSITY_CONTROL = {"aten.index.Tensor", "aten.index_put_.default"}  # by masks: which Gaussians decides their number
COPY, NUMBER = "aten._to_copy.default", "aten._local_scalar_dense.default"


@pytest.fixture(scope="module")
def write_stable_diffusion() -> Any:
    """What writes a tiny pipeline; another folder's conftest is not imported by itself."""
    path = Path(__file__).parents[1] / "methods" / "priors" / "conftest.py"
    spec = importlib.util.spec_from_file_location("priors_conftest", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # named tuples look their module up
    spec.loader.exec_module(module)
    return module.write_stable_diffusion


@pytest.fixture(scope="module")
def folder(write_stable_diffusion: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("elsewhere") / "prior"
    write_stable_diffusion(path)
    return path


def cell(folder: Path, method: str, scene: dict[str, Any]) -> Cell:
    fields = {
        "name": "t", "title": "T", "prior": str(folder), "scorers": "toybox", "prompts": "toybox",
        "prompt_ids": ["blue-duck"], "metrics": ["ground_truth"], "baseline": method, "methods": {method: {}},
        "steps": 2, "views_per_step": 2, "penalties": "relative", "render": {"resolution": 12},
        "evaluation": {"views": 2, "resolution": 16}, "divergence": {"patience": 2}, "scene": scene,
    }  # fmt: skip
    return expand(parse_study(fields, where="t"))[0]


def move(prior: DiffusersPrior) -> DiffusersPrior:
    """The prior with all of its tensors on the other device; diffusers cannot load there."""
    prior.device = ELSEWHERE
    prior.alphas_cumprod = prior.alphas_cumprod.to(ELSEWHERE)
    for network in (prior._network, prior._text_encoders()["text_encoder"], prior._codec._network):
        network.to(ELSEWHERE)
    return prior


def losses(loop: Optimisation) -> Iterator[float]:
    """The loss of each step, with its penalties."""
    for step in loop:
        yield step.event.loss + step.event.regularisation


def run_there(folder: Path, cell: Cell) -> tuple[list[float], Images, list[Counter[str]]]:
    """The losses, the evaluation, and what the host waited for in each step and in the evaluation.

    The tokens of a text that is new in a step are left out.
    """
    prior = DiffusersPrior(folder)
    with AnotherDevice() as device:
        loop, found, waits, texts = Optimisation(cell, move(prior)), [], [], 0
        device.waits.clear()
        for loss in losses(loop):
            found.append(loss)
            waits.append(Counter(device.waits))
            waits[-1][COPY] -= len(prior._embedded) - texts
            texts = len(prior._embedded)
            device.waits.clear()
        loop.load_state_dict(loop.state_dict())
        device.waits.clear()
        images, _ = render_ring(loop)
        waits.append(Counter(device.waits))
    return found, images, waits


@pytest.mark.parametrize("method", methods.names())
def test_a_step_of_every_method_waits_for_its_numbers_only(folder: Path, method: str) -> None:
    """Its numbers are those of the host: methods/distillation/test_no_waiting.py."""
    _, _, (_, second, evaluation) = run_there(folder, cell(folder, method, NERF))
    assert set(second) == {"aten.nonzero.default", COPY, NUMBER}
    assert second[COPY] == 1
    assert second[NUMBER] == 1  # how much the scene still changes
    assert set(evaluation) <= {*OF_RENDERING, COPY}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_every_scene_is_on_the_device(folder: Path, scene: dict[str, Any]) -> None:
    """The numbers are those of the same cell on the CPU."""
    given = cell(folder, "sds", scene)
    found, images, (_, second, evaluation) = run_there(folder, given)
    if scene.get("density", {}).get("every") == 1:  # a step of the density control, which is a rare one
        assert set(second) <= {*OF_RENDERING, *OF_DENSITY_CONTROL, COPY, NUMBER}
    else:
        assert set(second) <= {*OF_RENDERING, COPY, NUMBER}
        # one more where blocks are cut, or tiles grouped
        assert second[COPY] == (2 if "samples_at_once" in scene or scene["name"] == "gaussians" else 1)
    assert set(evaluation) <= {*OF_RENDERING, COPY}
    here = Optimisation(given, DiffusersPrior(folder))
    assert found == pytest.approx(list(losses(here)), rel=1e-3)  # other memory layouts sum in another order
    expected, _ = render_ring(here)
    assert np.abs(images.rgb.astype(int) - expected.rgb.astype(int)).max() <= 1


@pytest.mark.parametrize("name", ["clip_score", "clip_iqa", "image_reward", "r_precision", "view_words"])
def test_scorers_are_on_the_device(name: str) -> None:
    draws = np.random.default_rng(0)
    rgb = draws.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    views = Views(rgb, np.full((4, 64, 64), 255, np.uint8), np.array([0.0, 90.0, 180.0, 270.0]), ())
    texts = ["a blue duck", "a red car"]
    expected = metrics[name]("toybox", "cpu").score(views, texts[0], texts)
    for loader in ("metrics.models.clip", "metrics.models.reward"):
        sys.modules[loader]._load.cache_clear()  # a moved model must not stay there
    scorer = metrics[name]("toybox", "cpu")
    model = scorer._model if name == "image_reward" else scorer._clip
    with AnotherDevice() as device:
        model._network.to(ELSEWHERE)
        model._device = ELSEWHERE
        device.waits.clear()
        found = scorer.score(views, texts[0], texts)
    for loader in ("metrics.models.clip", "metrics.models.reward"):
        sys.modules[loader]._load.cache_clear()
    assert COPY in device.waits
    assert set(device.waits) <= {COPY, NUMBER}  # a scale that CLIP learned
    for column, values in expected.items():
        np.testing.assert_allclose(found[column], values, rtol=1e-3, atol=1e-3)

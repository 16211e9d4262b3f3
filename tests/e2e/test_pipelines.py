"""A cell of SDS, SDI and VSD on each family of pipelines, with its calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_flows import flux, stable_diffusion_3
from tiny_pipelines import deepfloyd_if, pixart, sdxl

from bench.cells.run_cell import run_cell
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import load_study, parse_study
from methods.priors.loading import cached_prior

pytestmark = pytest.mark.e2e

FAMILIES: dict[str, Callable[[Path], Any]] = {
    "sdxl": sdxl, "deepfloyd-if": deepfloyd_if, "pixart": pixart, "sd3": stable_diffusion_3, "flux": flux,
}  # fmt: skip
METHODS = ["sds", "sdi", "vsd"]
STEPS = 2


@pytest.fixture(scope="module", params=FAMILIES)
def cells(request, tmp_path_factory) -> tuple[Any, dict[str, Cell]]:
    folder = tmp_path_factory.mktemp("pipelines") / request.param
    FAMILIES[request.param](folder)
    resolution = 16 if request.param == "deepfloyd-if" else 32
    changed = {
        "prior": {"name": str(folder), "resolution": resolution}, "methods": {name: {} for name in METHODS},
        "baseline": "sds", "steps": STEPS,
        "prompt_ids": ["blue-duck"], "evaluation": {"views": 1, "resolution": 8}, "controls": [],
        "scorers": "toybox",
    }  # fmt: skip
    study = parse_study(load_study("quick").model_dump(mode="json") | changed, where="here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SDIBENCH_DEVICE", "cpu")
        cached_prior.cache_clear()
        found = {cell.label: cell for cell in expand(study)}
        yield cached_prior(str(folder), "mode", resolution), found
        cached_prior.cache_clear()


@pytest.mark.parametrize("method", METHODS)
def test_a_cell_runs_to_its_end(cells, method: str) -> None:
    prior, of = cells
    outcome = run_cell(of[method], prior)
    assert outcome.record.status == "completed", outcome.record.failure
    assert outcome.scene
    assert all(bool(value.isfinite().all()) for value in outcome.scene.values())
    # SDS asks once in a step, for the prompt and no prompt together; VSD its copy too, to predict and to train
    least = {"sds": STEPS, "vsd": 3 * STEPS}
    calls = outcome.record.unet_calls
    assert calls == least[method] if method in least else calls > STEPS

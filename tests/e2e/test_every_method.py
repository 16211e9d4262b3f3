"""Every method that ships optimises a NeRF and latents under the toybox's own diffusion prior, and some Gaussians."""

from __future__ import annotations

import math

import pytest

from bench.cells.run_cell import run_cell
from bench.study.expand import expand
from bench.study.study import Study, load_study, parse_study
from methods.distillation import methods
from methods.priors.loading import cached_prior

pytestmark = pytest.mark.e2e

SCENES = {
    "nerf": {"scene": {"name": "nerf", "marching": {"name": "occupancy", "samples": 28}}, "penalties": "relative"},
    "latent": {"scene": {"name": "latent"}, "view_prompts": "none", "divergence": {"opaque_opacity": 1.0}},
    "gaussians": {"scene": {"name": "gaussians", "count": 300}, "penalties": "relative"},
}


def _study(method: str, scene: str) -> Study:
    fields = load_study("quick").model_dump(mode="json")
    return parse_study(
        fields
        | {"name": "each", "steps": 2, "prompt_ids": ["blue-duck"], "methods": {method: {}}, "baseline": method}
        | {"render": {"resolution": 16}, "evaluation": {"views": 2, "resolution": 16}}
        | SCENES[scene],
        where="each",
    )


#: The rivals of SDI; the study ``gaussians`` has run the older methods.
RIVALS = ("asd", "asyncsd", "bridge", "bsd", "cds", "dsd", "lods", "pfd", "rfds", "rfds-rev", "tsm")

CASES = [(method, scene) for method in methods.names() for scene in SCENES if scene != "gaussians" or method in RIVALS]


@pytest.mark.parametrize(("method", "scene"), CASES, ids=map("-".join, CASES))
def test_two_steps_on_the_toybox(method: str, scene: str) -> None:
    (cell,) = expand(_study(method, scene))
    outcome = run_cell(cell, cached_prior("toybox", "mode"))
    assert outcome.record.failure is None
    assert outcome.record.status == "completed"
    assert outcome.record.unet_calls >= 2
    assert all(event.loss is not None and math.isfinite(event.loss) for event in outcome.events)
    assert outcome.images.rgb.shape == (2, 16, 16, 3)

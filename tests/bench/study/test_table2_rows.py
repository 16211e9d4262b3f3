"""The study table2 against the released code of ISM, value by value.

Values are facts of LucidDreamer@2ecf093 (``arguments/__init__.py``, ``configs/bagel.yaml``, ``train.py``, ``scene/``),
in its own units: radians, polar angles from above, steps, penalties next to a sum over the views.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import load_study, parse_study

STEPS, VIEWS = 5000, 4
#: ``cameras_extent``, by which positions are multiplied: ``default_radius``.
EXTENT = 3.5


@pytest.fixture(scope="module")
def cells() -> dict[str, Cell]:
    """The rows on a prior that needs no weights; no scene is built."""
    fields = load_study("table2").model_dump(mode="json") | {"prior": "gaussian", "scorers": "toybox"}
    return {cell.label: cell for cell in expand(parse_study(fields, where=""))}


RELEASED: dict[str, Any] = {
    "steps": STEPS,
    "views_per_step": VIEWS,
    "penalties": "absolute",
    "view_prompts": "words",
    "render.resolution": 512,
    "render.background": [1.0, 1.0],
    "optimiser.betas": [0.9, 0.999],
    "optimiser.eps": 1e-15,
    "scene.name": "gaussians",
    "scene.rasteriser.name": "gsplat",
    "scene.count": 100_000,
    "scene.opacity": 0.1,
    "scene.sh_degree": 0,
    "scene.random_backgrounds": 0.66,
    "scene.size": "neighbours",
    "scene.density.name": "adaptive",
    "scene.density.every": 100,
    "scene.density.start": 100 / STEPS,
    "scene.density.end": 3000 / STEPS,
    "scene.density.gradient": 0.00075,
    "scene.density.split_size": 0.003 * EXTENT,
    "scene.density.min_opacity": 0.005,
    "scene.density.largest": 0.1 * EXTENT,
    "scene.density.reset_every": 300,
    "scene.learning_rates.means": [0.00016 * EXTENT, 0.0000016 * EXTENT],
    "scene.learning_rates.colours": [0.005, 0.003],
    "scene.learning_rates.opacities": 0.05,
    "scene.learning_rates.scales": [0.005, 0.001],
    "scene.learning_rates.rotations": [0.001, 0.0002],
    "scene.penalties.tv_rgb": 1.0 / VIEWS,
    "scene.penalties.tv_depth": 1.0 / VIEWS,
    "scene.penalties.scale": 1.0 / VIEWS,
    "scene.penalties.sparsity": 0.0,
    "cameras.elevation_deg": [90.0 - 105.0, 90.0 - 45.0],
    "cameras.azimuth_deg": [-180.0, 180.0],
    "cameras.sphere_share": 0.0,
    "cameras.target_jitter": 0.05,
    "cameras.position_jitter": 0.05 / 2,
    "cameras.up_jitter": 0.01,
    "evaluation.distance": 3.5,
    "evaluation.fovy_deg": math.degrees(0.55),
}


@pytest.mark.parametrize("row", ["ism", "sdi"])
def test_both_rows_have_the_released_values(cells: dict[str, Cell], row: str) -> None:
    fields = cells[row].model_dump(mode="json") | {"cameras": vars(cells[row].cameras)}
    fields |= {"view_prompts": cells[row].view_prompts}
    for path, value in RELEASED.items():
        found = fields
        for key in path.split("."):
            found = found[key]
        expected = pytest.approx(value, rel=1e-4) if isinstance(value, float | list) else value
        assert (list(found) if isinstance(found, tuple) else found) == expected, path


@pytest.mark.parametrize("step", [0, 499, 500, 999, 1000, 1500, 2000, 3500, 4000, 4999])
def test_cameras_are_those_of_the_released_schedule(cells: dict[str, Cell], step: int) -> None:
    """``progressive_view_iter`` and ``scale_up_cameras_iter`` of 500, in iterations that count from 1."""
    near, far, narrow, wide = 5.2, 5.5, 0.32, 0.60
    for iteration in range(1, step + 1):
        if iteration >= 500 and iteration % 500 == 0:
            narrow, wide = max(0.16, 0.75 * narrow), min(0.60, 1.1 * wide)
            near, far = max(3.5, 0.95 * near), max(5.0, 0.95 * far)
    bounds = cells["ism"].cameras.at(step / (STEPS - 1))
    assert bounds.distance == pytest.approx((near, far), abs=1e-3)
    assert bounds.fovy_deg == pytest.approx((math.degrees(narrow), math.degrees(wide)), abs=1e-3)


def test_ism_is_the_released_guidance(cells: dict[str, Cell]) -> None:
    found = cells["ism"].hyper_parameters
    assert (found["guidance_scale"], found["weight"], found["gamma_inv"]) == (7.5, 0.1, 0.0)
    assert found["inversion_interval"] == pytest.approx(200 / 1000)
    assert cells["sdi"].hyper_parameters["inversion"]["gamma_inv"] == -7.5
    assert cells["ism"].scene == cells["sdi"].scene
    assert cells["ism"].cameras == cells["sdi"].cameras

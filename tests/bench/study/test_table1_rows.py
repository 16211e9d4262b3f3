"""The rows of table 1 against the configurations that were released, value by value.

Values are facts of threestudio@28d9d80 (``dreamfusion-sd.yaml``, ``prolificdreamer.yaml``, ``hifa.yaml``,
``data/uncond.py``) and of SDI's ``sdi.yaml``, in this suite's units: steps as progress, weights next to a summed loss.
"""

from __future__ import annotations

from typing import Any

import pytest

from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import load_study, parse_study

#: The same in all four configurations.
COMMON: dict[str, Any] = {
    "views_per_step": 1,
    "cameras.fovy_deg": [40.0, 70.0],
    "cameras.elevation_deg": [-10.0, 45.0],
    "cameras.sphere_share": 0.5,
    "optimiser.betas": [0.9, 0.99],
    "optimiser.eps": 1e-15,
    "scene.marching.samples": 512,
    "scene.networks": "separate",
    "scene.hidden": 64,
    "scene.blob": {"scale": 10.0, "std": 0.5},
    "scene.occupancy.resolution": 32,
    "scene.background.name": "environment_map",
    "scene.background.hidden": 16,
    "scene.background.learning_rate": 0.001,
    "scene.learning_rates.encoding": 0.01,
}
WIDE = {"cameras.distance": [1.5, 2.0], "scene.radius": 2.0, "scene.learning_rates.network": 0.01,
        "scene.background.flat_share": 0.0, "cameras.position_jitter": 0.1, "cameras.target_jitter": 0.2,
        "cameras.up_jitter": 0.02, "view_sector_deg": 45.0}  # fmt: skip
NEAR = {"cameras.distance": [1.0, 1.5], "scene.radius": 1.0, "scene.learning_rates.network": 0.001,
        "scene.background.flat_share": 0.5, "cameras.position_jitter": 0.0, "cameras.target_jitter": 0.0,
        "cameras.up_jitter": 0.0, "scene.material.name": "albedo", "scene.penalties.orient": 0.0}  # fmt: skip
#: Next to SDI's loss, which is a mean over the latents.
SDI = {
    "orient": 0.1,
    "sparsity": [0.0, 0.15, 0.0, 0.3],
    "opaque": 0.1,
    "convex": [0.0, 1.0, 0.1, 0.4],
    "z_variance": 1.0,
}
LATENTS = 4 * 64 * 64


def summed(weight: Any) -> Any:
    """A weight next to a mean over the latents, next to a sum over them."""
    return LATENTS * weight if isinstance(weight, float) else [
        weight[0], LATENTS * weight[1], LATENTS * weight[2], weight[3]
    ]  # fmt: skip


VSD = COMMON | NEAR | {
    "steps": 25_000, "render.resolution": [[0.0, 64], [0.2, 512]], "view_prompts": "words", "view_sector_deg": 30.0,
    "scene.penalties.sparsity": 10.0, "scene.penalties.opaque": [0.4, 0.0, 1000.0, 0.40004],
    "scene.penalties.z_variance": 0.0, "scene.penalties.convex": 0.0,
    "hyper_parameters.guidance_scale": 7.5,
}  # fmt: skip
POINT_LIGHT = {"scene.material.name": "point_light", "scene.normals.kind": "analytic", "scene.normals.weight": 0.0}

ROWS: dict[str, dict[str, Any]] = {
    "sds": COMMON | WIDE | POINT_LIGHT | {
        "steps": 10_000, "render.resolution": 64, "view_prompts": "words",
        "scene.material.albedo_until": 0.2001, "scene.material.lit_share": 0.75,
        "scene.material.textureless_share": 0.5,
        "scene.penalties.orient": [0.0, 10.0, 1000.0, 0.5], "scene.penalties.sparsity": 1.0,
        "scene.penalties.opaque": 0.0, "scene.penalties.z_variance": 0.0, "scene.penalties.convex": 0.0,
        "hyper_parameters.text_guidance_scale": 100.0,
    },
    "vsd": VSD,
    "esd": VSD,
    "hifa": COMMON | NEAR | {
        "steps": 25_000, "render.resolution": 512, "view_prompts": "words", "view_sector_deg": 45.0,
        "scene.penalties.sparsity": 1.0, "scene.penalties.opaque": 0.0, "scene.penalties.z_variance": 100.0,
        "scene.penalties.convex": 0.0, "hyper_parameters.guidance_scale": 101.0,
    },
    "sdi": COMMON | WIDE | POINT_LIGHT | {
        "steps": 10_000, "render.resolution": 512, "view_prompts": "perp_neg",
        "scene.material.albedo_until": 0.1, "scene.material.lit_share": 0.3,
        "scene.material.textureless_share": 0.75,
        "hyper_parameters.gamma_fwd": 7.5, "hyper_parameters.inversion.gamma_inv": -7.5,
        "hyper_parameters.inversion.eta": 0.3, "hyper_parameters.inversion.inversion_steps": 10,
        **{f"scene.penalties.{name}": summed(weight) for name, weight in SDI.items()},
    },
    "sdi-code": COMMON | WIDE | POINT_LIGHT | {
        "steps": 10_000, "render.resolution": 512, "view_prompts": "perp_neg",
        "scene.material.albedo_until": 0.1, "scene.material.lit_share": 0.3,
        "scene.material.textureless_share": 0.75,
        "hyper_parameters.gamma_fwd": 7.5, "hyper_parameters.gamma_inv": -7.5, "hyper_parameters.eta": 0.3,
        "hyper_parameters.inversion_steps": 10, "hyper_parameters.timesteps": [0.25, 0.98],
        **{f"scene.penalties.{name}": weight for name, weight in SDI.items()},
    },
}  # fmt: skip

_ONE_SCENE = "all rows have the cameras and the radius of sdi.yaml, so that every row is scored on the same views"
#: Settings that differ from those released, each with its reason.
DEVIATIONS = {
    (row, path): _ONE_SCENE
    for row in ("vsd", "esd", "hifa")
    for path in ("cameras.distance", "scene.radius", "cameras.position_jitter", "cameras.target_jitter",
                 "cameras.up_jitter")
}  # fmt: skip


@pytest.fixture(scope="module")
def cells() -> dict[str, Cell]:
    """The rows on a prior that needs no weights; no scene is built."""
    fields = load_study("table1").model_dump(mode="json") | {"prior": "gaussian", "scorers": "toybox"}
    return {cell.label: cell for cell in expand(parse_study(fields, where=""))}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_the_released_values(cells: dict[str, Cell], row: str) -> None:
    fields = cells[row].model_dump(mode="json") | {"view_sector_deg": cells[row].view_sector_deg}
    differing = {path for path, value in ROWS[row].items() if not _same(_at(fields, path), value)}
    assert differing == {path for label, path in DEVIATIONS if label == row}


def _same(found: Any, released: Any) -> bool:
    if isinstance(released, list) and isinstance(found, list):
        return len(found) == len(released) and all(map(_same, found, released))
    return bool(found == pytest.approx(released) if isinstance(released, float) else found == released)


def _at(fields: Any, path: str) -> Any:
    for key in path.split("."):
        fields = fields[key]
    return fields

"""Cells whose κ depends on the camera and the object, killed and resumed, in a NeRF, Gaussians and an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.cells.optimisation import Optimisation
from bench.cells.run_cell import run_cell
from bench.records.checkpoint import Checkpoint
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study, load_study, parse_study
from methods.contracts import Prior

SCENES: dict[str, dict[str, Any]] = {
    "nerf": {},
    "gaussians": {"scene": {"name": "gaussians", "count": 60}},
    "latent": {"scene": {"name": "latent"}, "view_prompts": "none", "divergence": {"opaque_opacity": 1.0}},
}
METHODS = {
    "cfd": {"inversion": {"name": "surface", "renewal": [0.0, 0.3, 0.1, 1.0]}},
    "fsd": {"inversion": {"name": "world_map", "renewal": 0.2}},
    "surface-sdi": {"method": "sdi", "inversion": {"name": "surface"}},
}


class _KilledError(BaseException):
    """Like an interrupt, nothing in the cell may catch it."""


def _cell(study: Study, scene: str, arm: str) -> Cell:
    fields = study.model_dump(mode="json") | {"steps": 6, "views_per_step": 3, "prompt_ids": ["blue-duck"]}
    fields |= {"methods": {arm: METHODS[arm]}, "baseline": arm} | SCENES[scene]
    (cell,) = expand(parse_study(fields, where="object noise"))
    return cell


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("arm", METHODS)
def test_a_killed_cell_resumes_to_the_same_bits(
    arm: str, scene: str, study_file: Path, prior: Prior, tmp_path: Path
) -> None:
    cell = _cell(load_study(study_file), scene, arm)
    straight = run_cell(cell, prior)
    assert straight.record.status == "completed"
    checkpoint = Checkpoint(tmp_path / "c.safetensors", cell.identity, 0.0)

    def kill(event) -> None:
        if event.step == 3:
            raise _KilledError

    with pytest.raises(_KilledError):
        run_cell(cell, prior, checkpoint=checkpoint, on_step=kill)
    taken: list[int] = []
    resumed = run_cell(cell, prior, checkpoint=checkpoint, on_step=lambda event: taken.append(event.step))
    assert taken == [3, 4, 5]
    assert [event.loss for event in resumed.events] == [event.loss for event in straight.events]
    assert all(torch.equal(resumed.scene[name], value) for name, value in straight.scene.items())


def test_a_view_knows_the_progress(study_file: Path, prior: Prior) -> None:
    """The renewal of the noise depends on it, and a strategy has it from nowhere else."""
    loop, seen = Optimisation(_cell(load_study(study_file), "latent", "cfd"), prior), []
    method = loop.method

    class Watched:
        negative_text = staticmethod(method.negative_text)

        def __call__(self, view, **given):
            seen.append((view.progress, given["progress"]))
            return method(view, **given)

    loop.method = Watched()
    assert len(list(loop)) == 6
    assert seen == [(step / 5, step / 5) for step in range(6)]

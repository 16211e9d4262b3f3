"""Cells whose scene is made of Gaussians, with all that changes over an optimisation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.cells.optimisation import Optimisation
from bench.cells.run_cell import run_cell
from bench.records.checkpoint import Checkpoint
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import load_study
from methods.contracts import Prior

SCENE = """
[scene]
name = "gaussians"
count = 60
sh_degree = 2
normals = "depth"
random_backgrounds = 0.66
learning_rates = { means = [0.01, 0.0001], scales = [0.02, 0.01], colours = [0.05, 0.01] }
penalties = { tv_rgb = 1.0, tv_depth = [0.0, 1.0, 0.0, 0.5], scale = 1.0, sparsity = 0.1 }
"""


class _KilledError(BaseException):
    """Like an interrupt, nothing in the cell may catch it."""


@pytest.fixture
def gaussians(study_file: Path) -> Cell:
    head, rest = study_file.read_text().split("[scene]")
    study_file.write_text(head + SCENE + rest[rest.index("[render]") :])
    return next(iter(expand(load_study(study_file)))).model_copy(update={"steps": 8})


def test_step_sizes_of_a_resumed_cell_are_those_of_an_uninterrupted_one(gaussians: Cell, prior: Prior) -> None:
    straight, first, found = Optimisation(gaussians, prior), Optimisation(gaussians, prior), []
    expected = [[group["lr"] for group in straight.optimiser.param_groups] for _ in straight]
    for _, _ in zip(range(3), first, strict=False):
        pass
    second = Optimisation(gaussians, prior)
    second.load_state_dict(first.state_dict())
    found = [[group["lr"] for group in second.optimiser.param_groups] for _ in second]
    assert found == expected[3:]
    assert expected[0][0] == pytest.approx(0.01)
    assert expected[-1][0] == pytest.approx(0.0001)
    ours, theirs = straight.scene.state_dict(), second.scene.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert float(ours["harmonics"][:, 1:].abs().max()) > 0


def test_a_killed_cell_resumes_to_the_same_bits(gaussians: Cell, prior: Prior, tmp_path: Path) -> None:
    straight = run_cell(gaussians, prior)
    checkpoint = Checkpoint(tmp_path / "c.safetensors", gaussians.identity, 0.0)

    def kill(event) -> None:
        if event.step == 4:
            raise _KilledError

    with pytest.raises(_KilledError):
        run_cell(gaussians, prior, checkpoint=checkpoint, on_step=kill)
    resumed = run_cell(gaussians, prior, checkpoint=checkpoint)
    assert all(torch.equal(resumed.scene[name], value) for name, value in straight.scene.items())
    assert (resumed.images.rgb == straight.images.rgb).all()
    assert straight.images.normals is not None
    assert all(event.regularisation > 0 for event in straight.events)

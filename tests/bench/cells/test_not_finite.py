"""Colours that are NaN or infinite never become an image without a mark, nor a score."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from bench.cells.run_cell import run_cell
from bench.commands.score import score_study
from bench.errors import InputError
from bench.exports.mesh import export_mesh
from bench.records.store import RunStore
from bench.scores.control_views import control_views
from bench.study.cell import Cell
from bench.study.study import Study
from methods.contracts import Prior
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.mesh import Mesh
from methods.scenes.nerf.nerf import NeRFScene

MAGENTA = [255, 0, 255]


def _break_views(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    """Give one pixel of every evaluation render the colour ``value``, those of the steps stay."""
    render = NeRFScene.render

    def broken(self: NeRFScene, *arguments: Any, **keywords: Any) -> Any:
        rendering = render(self, *arguments, **keywords)
        if torch.is_grad_enabled():
            return rendering
        colours = rendering.rgb.clone()
        colours[:, 1, 2, 3] = value
        return rendering._replace(rgb=colours)

    monkeypatch.setattr(NeRFScene, "render", broken)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_view_with_a_colour_that_is_not_finite_ends_as_nan_with_a_mark(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    whole = run_cell(cell, prior)
    assert whole.record.status == "completed"
    _break_views(monkeypatch, value)
    outcome = run_cell(cell, prior)
    assert (outcome.record.status, outcome.record.steps_done) == ("nan", 4)
    assert outcome.record.divergence is not None
    assert outcome.record.divergence.quantity == "colour of the evaluation views"
    assert (outcome.images.rgb[:, 2, 3] == MAGENTA).all()
    rest = np.ones(outcome.images.rgb.shape[1:3], bool)
    rest[2, 3] = False
    assert (outcome.images.rgb[:, rest] == whole.images.rgb[:, rest]).all()


def test_a_snapshot_with_a_colour_that_is_not_finite_ends_the_cell(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    _break_views(monkeypatch, torch.nan)
    evaluation = cell.evaluation.model_copy(update={"snapshots": (0.5,)})
    outcome = run_cell(cell.model_copy(update={"evaluation": evaluation}), prior)
    assert (outcome.record.status, outcome.record.steps_done) == ("nan", 2)
    assert outcome.record.divergence is not None
    assert outcome.record.divergence.quantity == "colour or opacity of a snapshot"
    assert (outcome.snapshots[0].images.rgb[:, 2, 3] == MAGENTA).all()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_prior_that_decodes_to_nothing_finite_has_no_control_row(
    study: Study, finished: RunStore, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    controlled = study.model_copy(update={"controls": ("blank", "prior_2d")})
    decode = GaussianPrior.decode
    monkeypatch.setattr(GaussianPrior, "decode", lambda self, latents: decode(self, latents) + value)
    out = io.StringIO()
    found = control_views(controlled, [], controlled.chosen_prompts(), finished, Console(file=out, width=300))
    assert {control.name for control in found} == {"blank"}
    assert "no prior_2d for 2 of 2 prompts: " in out.getvalue()
    assert "are not finite (NaN or infinite)" in out.getvalue()
    assert list((finished.folder / "controls" / "prior_2d").rglob("*")) == []
    monkeypatch.undo()
    score_study(controlled, finished, Console(file=io.StringIO()))
    assert len(list((finished.folder / "controls" / "prior_2d").iterdir())) == 2


def test_a_mesh_with_a_colour_that_is_not_finite_is_not_written(
    study: Study, finished: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished.record_folders()[0]
    corners = np.eye(3, dtype=np.float32)
    mesh = Mesh(corners, np.array([[0, 1, 2]]), np.where(corners == corners[0], np.float32(0.5), np.float32(np.nan)))
    monkeypatch.setattr("bench.exports.mesh.silhouette_level", lambda *_: 1.0)
    monkeypatch.setattr("bench.exports.mesh.extract_mesh", lambda *_, **__: mesh)
    with pytest.raises(InputError, match=r"the mesh of the scene cannot be coloured: . of 9 .* not finite"):
        export_mesh(folder, tmp_path / "a.glb", resolution=16)
    assert list(tmp_path.glob("*.glb")) == []

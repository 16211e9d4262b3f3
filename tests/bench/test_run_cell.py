from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import bench.evaluation
from bench.cell import Cell
from bench.divergence import Status
from bench.run_cell import run_cell
from bench.settings import DivergenceSettings
from methods.contracts import Prior
from methods.priors.gaussian import GaussianPrior
from methods.scenes.nerf import NeRF


def test_a_cell_runs_to_its_end(cell: Cell, prior: Prior) -> None:
    seen = []
    outcome = run_cell(cell, prior, on_step=seen.append)
    record = outcome.record
    assert (record.status, record.steps_done, record.failure, record.divergence) == ("completed", 4, None, None)
    assert [event.step for event in outcome.events] == [0, 1, 2, 3] == [event.step for event in seen]
    assert outcome.rgb.shape == (3, 8, 8, 3)
    assert outcome.opacity.shape == (3, 8, 8)
    assert outcome.opacity.max() > 50  # the blob shows
    assert record.unet_calls == sum(event.unet_calls for event in outcome.events) > 0
    assert record.identity == cell.identity
    assert record.seconds.optimise > 0


def test_the_same_cell_gives_the_same_bits(cell: Cell, prior: Prior) -> None:
    one, two = run_cell(cell, prior), run_cell(cell, GaussianPrior())
    assert one.scene.keys() == two.scene.keys()
    assert all(torch.equal(one.scene[name], two.scene[name]) for name in one.scene)
    assert np.array_equal(one.rgb, two.rgb)


class BrokenPrior(GaussianPrior):
    """Fails at its third call."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self.error = error

    def predict_noise(self, latents: torch.Tensor, *arguments: Any) -> torch.Tensor:
        noise = super().predict_noise(latents, *arguments)
        if self.calls < 3:
            return noise
        if self.error:
            raise self.error
        return noise * torch.nan


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("shapes do not fit"), "crashed"),
        (torch.OutOfMemoryError("CUDA out of memory"), "oom"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "oom"),
        (MemoryError(), "oom"),
    ],
)
def test_an_exception_becomes_a_failure(cell: Cell, error: Exception, status: str) -> None:
    outcome = run_cell(cell, BrokenPrior(error))
    record = outcome.record
    assert (record.status, record.steps_done) == (status, 2)
    assert not record.status.diverged
    assert record.failure is not None
    assert record.failure.kind == type(error).__name__
    assert "predict_noise" in record.failure.traceback
    assert len(outcome.rgb) == 0


def test_an_interrupt_leaves(cell: Cell) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_cell(cell, BrokenPrior(KeyboardInterrupt()))


def test_nan_is_told_at_its_step_and_still_rendered(cell: Cell) -> None:
    outcome = run_cell(cell, BrokenPrior())
    record = outcome.record
    assert (record.status, record.steps_done) == ("nan", 3)
    assert record.divergence is not None
    assert (record.divergence.step, record.divergence.value) == (2, None)
    assert outcome.events[-1].loss is None
    assert outcome.rgb.shape == (3, 8, 8, 3)


def test_an_empty_scene_is_stopped(cell: Cell, prior: Prior) -> None:
    empty = cell.model_copy(
        update={
            "scene_settings": cell.scene_settings | {"density_blob_std": 1e-3},
            "divergence": DivergenceSettings(patience=2),
        }
    )
    record = run_cell(empty, prior).record
    assert (record.status, record.steps_done) == ("empty", 2)
    assert record.divergence is not None
    assert record.divergence.value is not None
    assert record.divergence.value < record.divergence.bound == 0.01  # type: ignore[operator]


def test_fog_is_stopped(cell: Cell, prior: Prior) -> None:
    fog = cell.model_copy(
        update={
            "scene_settings": cell.scene_settings | {"density_blob_scale": 300.0, "density_blob_std": 2.0},
            "divergence": DivergenceSettings(patience=2),
        }
    )
    assert run_cell(fog, prior).record.status is Status.OPAQUE


def test_a_scene_that_does_not_move_is_frozen(cell: Cell, prior: Prior) -> None:
    slow = {"learning_rate_encoding": 1e-12, "learning_rate_network": 1e-12}
    frozen = cell.model_copy(
        update={"scene_settings": cell.scene_settings | slow, "divergence": DivergenceSettings(patience=2)}
    )
    record = run_cell(frozen, prior).record
    assert (record.status, record.steps_done) == ("frozen", 2)


@pytest.mark.parametrize("method", ["sds", "nfsd", "ism", "sdi"])
def test_a_healthy_start_is_not_called_diverged(cell: Cell, prior: Prior, method: str) -> None:
    """With the default scene and bounds, and a patience that a short run can exhaust."""
    healthy = cell.model_copy(
        update={
            "method": method,
            "hyper_parameters": {},
            "steps": 12,
            "scene_settings": {},
            "divergence": DivergenceSettings(patience=3),
        }
    )
    assert run_cell(healthy, prior).record.status is Status.COMPLETED


def test_a_scene_lost_in_the_last_steps_is_found_in_its_views(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = NeRF.render

    def empty_evaluation(self: NeRF, *arguments: Any, **keywords: Any) -> Any:
        rendering = render(self, *arguments, **keywords)
        return rendering if torch.is_grad_enabled() else rendering._replace(opacity=0 * rendering.opacity)

    monkeypatch.setattr(NeRF, "render", empty_evaluation)
    record = run_cell(cell, prior).record
    assert (record.status, record.steps_done) == ("empty", 4)


def test_a_time_limit_ends_a_cell_with_its_views(cell: Cell, prior: Prior) -> None:
    outcome = run_cell(cell, prior, time_limit_seconds=1e-9)
    assert (outcome.record.status, outcome.record.steps_done) == ("timeout", 1)
    assert outcome.record.failure is not None
    assert outcome.record.failure.message == "1e-09 seconds ran out after 1 of 4 steps"
    assert len(outcome.rgb) == 3


def test_evaluation_views_do_not_depend_on_how_many_are_rendered_at_once(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = run_cell(cell, prior).rgb
    monkeypatch.setattr(bench.evaluation, "_VIEWS_AT_ONCE", 1)
    assert np.abs(run_cell(cell, prior).rgb.astype(int) - together).max() <= 1

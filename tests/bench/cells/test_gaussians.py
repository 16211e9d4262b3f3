"""Gaussians in the harness: density control that is killed and goes on, and the ends of an optimisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.cells.run_cell import run_cell
from bench.records.outcome import Outcome
from bench.records.read_record import read_record
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study, load_study
from bench.watch.telemetry import Event
from methods.contracts import Prior
from methods.priors.loading import cached_prior
from methods.scenes.gaussians.gaussians import GaussianScene

STUDY = """
title = "Gaussians"
prior = "gaussian"
scorers = "toybox"
prompts = "toybox"
prompt_ids = ["blue-duck"]
steps = 12
views_per_step = 2
metrics = ["ground_truth"]
baseline = "sds"
threads = 1
checkpoint_steps = 1
[scene]
name = "gaussians"
count = 60
size = 0.1
density = {density}
[render]
resolution = 8
[evaluation]
views = 2
resolution = 8
[divergence]
patience = {patience}
[methods.sds]
"""

#: Something happens in each of them, before step 5 and after it.
ADAPTIVE = (
    '{ name = "adaptive", every = 2, start = 0.0, end = 1.0, gradient = 1e-6, min_opacity = 0.08, reset_every = 7, '
    "split_size = 0.1, most = 150 }"
)
FIXED = '{ name = "fixed", every = 2, min_opacity = 0.1, noise = 1e3 }'


@pytest.fixture
def study_of(tmp_path: Path) -> Callable[..., Study]:
    def load(density: str = '"unchanged"', patience: int = 60) -> Study:
        path = tmp_path / "study.toml"
        path.write_text(STUDY.replace("{density}", density).replace("{patience}", str(patience)))
        return load_study(path)

    return load


@pytest.fixture
def cell_of(study_of: Callable[..., Study]) -> Callable[..., Cell]:
    return lambda *arguments, **keywords: expand(study_of(*arguments, **keywords))[0]


@pytest.fixture
def prior() -> Prior:
    return cached_prior("gaussian", "mode")


class _KilledError(BaseException):
    """As hard as a signal."""


@pytest.mark.parametrize("density", [ADAPTIVE, FIXED], ids=["adaptive", "fixed"])
def test_a_killed_cell_goes_on_to_the_same_bits(
    study_of: Callable[..., Study], prior: Prior, tmp_path: Path, density: str
) -> None:
    study = study_of(density)
    [cell] = expand(study)
    straight = run_cell(cell, prior)
    assert straight.record.failure is None
    for killed_at in (2, 5, 8):  # on both sides of changes and of the reset

        def kill(event: Event, at: int = killed_at) -> None:
            if event.step == at:
                raise _KilledError

        store = RunStore(tmp_path / f"run-{killed_at}")
        store.open(study)
        with pytest.raises(_KilledError):
            run_cell(cell, prior, on_step=kill, checkpoint=store.checkpoint(cell, study))
        steps: list[Event] = []
        outcome = run_cell(cell, prior, on_step=steps.append, checkpoint=store.checkpoint(cell, study))
        assert [event.step for event in steps] == list(range(killed_at, 12))
        _assert_same(outcome, straight)


def _assert_same(one: Outcome, other: Outcome) -> None:
    assert (one.record.status, one.record.steps_done) == (other.record.status, other.record.steps_done)
    assert one.scene.keys() == other.scene.keys()
    for name, value in other.scene.items():
        assert torch.equal(one.scene[name], value), name
    events = [[event.model_dump(exclude={"seconds"}) for event in outcome.events] for outcome in (one, other)]
    assert events[0] == events[1]
    assert (one.images.rgb == other.images.rgb).all()
    assert one.record.diagnostics == other.record.diagnostics


def test_the_number_and_the_cap_are_in_events_and_record(cell_of: Callable[..., Cell], prior: Prior) -> None:
    outcome = run_cell(cell_of(ADAPTIVE), prior)
    numbers = [event.diagnostics["gaussians"] for event in outcome.events]
    assert numbers[:3] == [60, 60, 60]  # it changes after step 2
    assert len(set(numbers)) > 3
    assert max(numbers) <= 150
    capped = [event.diagnostics["cap_reached"] for event in outcome.events]
    assert capped == [float(number == 150) for number in numbers]
    assert 0 < sum(capped) < 12
    assert outcome.record.status == "completed"
    assert outcome.record.diagnostics["gaussians"] == numbers[-1]
    assert outcome.record.diagnostics == outcome.events[-1].diagnostics
    unchanged = run_cell(cell_of(), prior)
    assert "cap_reached" not in unchanged.record.diagnostics
    assert unchanged.record.diagnostics["gaussians"] == 60


def _change(monkeypatch: pytest.MonkeyPatch, step: int, change: Callable[[GaussianScene], Any]) -> None:
    """Change the scene after a step."""
    after_step = GaussianScene.after_step

    def changed(self: GaussianScene, number: int, *arguments: Any) -> None:
        after_step(self, number, *arguments)
        if number == step:
            with torch.no_grad():
                change(self)

    monkeypatch.setattr(GaussianScene, "after_step", changed)


@pytest.mark.parametrize("name", ["means", "log_scales", "rotations", "opacity_logits", "harmonics"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_parameter_that_is_not_finite_is_named(
    cell_of: Callable[..., Cell], prior: Prior, monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    """Also if no view shows it: an infinite opacity logit is a Gaussian with opacity 1."""
    _change(monkeypatch, 3, lambda scene: getattr(scene, name)[1].fill_(value))
    record = run_cell(cell_of(), prior).record
    assert (record.status, record.failure) == ("nan", None)
    assert record.divergence is not None
    assert (record.divergence.quantity, record.divergence.step) == (f"parameter {name}", 3)
    assert record.reason == f"parameter {name} not finite for 1 steps, noticed at step 3"


@pytest.mark.parametrize("density", [ADAPTIVE, FIXED], ids=["adaptive", "fixed"])
def test_a_parameter_that_is_not_finite_before_the_density_control_is_named_too(
    cell_of: Callable[..., Cell], prior: Prior, monkeypatch: pytest.MonkeyPatch, density: str
) -> None:
    """The control of the same step does not stumble over it."""
    before_step, count = GaussianScene.before_step, iter(range(100))

    def broken(self: GaussianScene, progress: float) -> None:
        before_step(self, progress)
        if next(count) == 4:
            self.means.register_hook(lambda slope: slope * math.nan)

    monkeypatch.setattr(GaussianScene, "before_step", broken)
    record = run_cell(cell_of(density), prior).record
    assert (record.status, record.failure) == ("nan", None)
    assert record.divergence is not None
    assert (record.divergence.quantity, record.divergence.step) == ("parameter means", 4)


@pytest.mark.parametrize("patience", [3, 60])
def test_a_scene_of_which_all_is_pruned_is_empty(
    cell_of: Callable[..., Cell], prior: Prior, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, patience: int
) -> None:
    _change(monkeypatch, 3, lambda scene: scene.opacity_logits.fill_(-9.0))
    cell = cell_of(ADAPTIVE, patience)
    outcome = run_cell(cell, prior)
    assert (outcome.record.status, outcome.record.failure) == ("empty", None)
    assert outcome.record.steps_done == {3: 7, 60: 12}[patience]  # below the bound from step 4 on
    assert outcome.record.diagnostics["gaussians"] == 0
    assert (outcome.images.rgb == 255).all()
    assert outcome.scene["means"].shape == (0, 3)
    store = RunStore(tmp_path / "run")
    store.write(outcome)
    assert read_record(store.cell_folder(cell), cell.identity).status == "empty"


def test_gaussians_that_fill_the_view_are_opaque(
    cell_of: Callable[..., Cell], prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have no ball that bounds them: what they can fill is the view.  A ball as wide as the view does not."""

    def grow(scene: GaussianScene) -> None:
        scene.log_scales.fill_(math.log(2.0))
        scene.opacity_logits.fill_(3.0)

    _change(monkeypatch, 3, grow)
    record = run_cell(cell_of(patience=3), prior).record
    assert (record.status, record.steps_done) == ("opaque", 7)
    assert record.divergence is not None
    assert (record.divergence.quantity, record.divergence.bound) == ("filled share", 0.95)
    monkeypatch.undo()

    def ball(scene: GaussianScene) -> None:
        scene.means.mul_(2)  # of radius 1
        scene.opacity_logits.fill_(3.0)
        scene.log_scales.fill_(math.log(0.2))

    _change(monkeypatch, 3, ball)
    record = run_cell(cell_of(patience=3), prior).record
    assert record.status == "completed"

"""Methods of others that break the rules: none may spoil its own numbers, or those of the next cell, unseen."""

from __future__ import annotations

import random  # noqa: TID251, a method that draws from it is what is tested
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import bench.cells.optimisation
import bench.cells.run_cell
from bench.cells.run_cell import run_cell
from bench.records.checkpoint import Checkpoint
from bench.records.outcome import Outcome
from bench.study.cell import Cell
from methods.contracts import Distillation, Prior
from methods.distillation.sds import SDS
from methods.priors.loading import cached_prior

#: Changes what SDS returns.
Change = Callable[[Distillation, Any], Any]


class _Foreign(SDS):
    """SDS, with something of its own."""

    change: Change = staticmethod(lambda update, prior: update)

    def __call__(self, view: Any, *, prior: Any, **given: Any) -> Any:
        return type(self).change(super().__call__(view, prior=prior, **given), prior)


@pytest.fixture
def run(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Outcome]]:
    """Runs a cell of a method whose updates are changed."""

    def run(change: Change, prior: Prior | None = None, **given: Any) -> Outcome:
        method = type("Foreign", (_Foreign,), {"change": staticmethod(change)})()
        with monkeypatch.context() as patch:
            patch.setattr(bench.cells.optimisation, "cell_method", lambda _: method)
            return run_cell(cell, prior or cached_prior("gaussian", "mode"), **given)

    yield run
    cached_prior.cache_clear()


def _failure(outcome: Outcome) -> str:
    assert outcome.record.status == "crashed"
    assert outcome.record.failure is not None
    return f"{outcome.record.failure.kind}: {outcome.record.failure.message}"


def test_a_method_of_others_runs(run: Callable[..., Outcome]) -> None:
    assert run(lambda update, prior: update).record.status == "completed"
    as_floats = run(lambda update, prior: update._replace(timesteps=update.timesteps.float()))
    assert as_floats.record.status == "completed"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("loss", lambda update: update.loss[None], "loss: has the shape (1,), must be ()"),
        ("loss", lambda update: 0.5, "loss: is a float, must be a tensor ()"),
        ("target", lambda update: update.target[:, :1], "target: has the shape (1, 1, "),
        ("noise", lambda update: update.noise[..., :1], "noise: has the shape "),
        ("prediction", lambda update: update.prediction[0], "prediction: has the shape "),
        ("timesteps", lambda update: update.timesteps * 0 - 1, "timesteps: [-1] must be from 0 to 999"),
        ("timesteps", lambda update: update.timesteps * 0 + 1000, "timesteps: [1000] must be from 0 to 999"),
        ("timesteps", lambda update: update.timesteps * 0 + 0.5, "timesteps: are torch.float32 on cpu, must be whole"),
        ("timesteps", lambda update: update.timesteps * np.nan, "timesteps: are torch.float32 on cpu, must be whole"),
        ("timesteps", lambda update: update.timesteps > 0, "timesteps: are torch.bool on cpu, must be whole"),
        ("timesteps", lambda update: update.timesteps.to("meta"), "timesteps: are torch.int64 on meta, must be whole"),
        ("timesteps", lambda update: update.timesteps[0], "timesteps: has the shape (), must be (1,)"),
        ("diagnostics", lambda update: {"norm": torch.zeros(2)}, "diagnostics['norm']: has the shape (2,), must be ()"),
        ("diagnostics", lambda update: {"norm": 1.0}, "diagnostics['norm']: is a float, must be a tensor ()"),
    ],
)
def test_an_update_of_another_form_is_named(
    run: Callable[..., Outcome], field: str, value: Callable[[Distillation], Any], message: str
) -> None:
    found = _failure(run(lambda update, prior: update._replace(**{field: value(update)})))
    assert found.startswith(f"ContractError: {message}")


def test_something_else_than_an_update_is_named(run: Callable[..., Outcome]) -> None:
    found = _failure(run(lambda update, prior: update.loss))
    assert found == "ContractError: the method returned a Tensor, must be a Distillation(loss, target, …)"


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda: torch.randn(1), "torch"),
        (np.random.rand, "numpy"),
        (random.random, "random"),
    ],
)
def test_a_draw_from_a_global_generator_is_named(
    run: Callable[..., Outcome], draw: Callable[[], Any], name: str
) -> None:
    def change(update: Distillation, prior: Prior) -> Distillation:
        draw()
        return update

    found = _failure(run(change))
    assert found.startswith(f"GlobalDrawError: the method sds drew from the global generator of {name}, so that its")


def test_an_exit_is_no_error_of_the_cell(run: Callable[..., Outcome]) -> None:
    """The handlers of submitit and Ray end a process so, at any point of a cell that goes on elsewhere."""
    with pytest.raises(SystemExit):
        run(lambda update, prior: sys.exit())


def test_a_prior_that_was_changed_is_not_the_next_cells(run: Callable[..., Outcome], cell: Cell) -> None:
    def change(update: Distillation, prior: Any) -> Distillation:
        prior.alphas_cumprod.mul_(0.99)
        return update

    before = run_cell(cell, cached_prior("gaussian", "mode"))

    def turn(update: Distillation, prior: Any) -> Distillation:
        prior.alphas_cumprod.copy_(prior.alphas_cumprod.roll(1))
        return update

    assert _failure(run(turn)).startswith("SharedStateError: ")
    assert re.search(r"SharedStateError: a tensor \(1000,\) of the prior was changed in place", _failure(run(change)))
    after = run_cell(cell, cached_prior("gaussian", "mode"))
    assert all(torch.equal(after.scene[name], value) for name, value in before.scene.items())


def test_weights_that_were_changed_are_seen(run: Callable[..., Outcome], cell: Cell) -> None:
    prior = cached_prior("toybox", "mode")

    def change(update: Distillation, given: Any) -> Distillation:
        with torch.no_grad():
            next(given._network.parameters()).mul_(1.001)
        return update

    assert run(lambda update, given: update, prior).record.status == "completed"
    assert _failure(run(change, prior)).startswith("SharedStateError: a tensor ")
    assert cached_prior("toybox", "mode") is not prior


def test_torch_is_as_it_was_after_a_method_that_leaves_it_otherwise(run: Callable[..., Outcome]) -> None:
    def change(update: Distillation, prior: Prior) -> Distillation:
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")
        return update

    run(change)
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32
    assert torch.get_default_device() == torch.device("cpu")


def test_a_cell_starts_again_if_the_code_of_its_method_has_changed(
    cell: Cell, prior: Prior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends_after(count: int) -> Callable[[], bool]:
        asked = iter(range(count))
        return lambda: next(asked, None) is None

    for now, first in (("a" * 64, 3), ("b" * 64, 0)):
        checkpoint = Checkpoint(tmp_path / f"{first}.safetensors", cell.identity, 0.0)
        monkeypatch.setattr(bench.cells.run_cell, "method_sha256", lambda _: "a" * 64)
        with pytest.raises(KeyboardInterrupt):
            run_cell(cell, prior, checkpoint=checkpoint, interrupted=ends_after(2))
        monkeypatch.setattr(bench.cells.run_cell, "method_sha256", lambda _, now=now: now)
        steps: list[int] = []
        outcome = run_cell(cell, prior, checkpoint=checkpoint, on_step=lambda event, to=steps: to.append(event.step))
        assert steps == list(range(first, 4))
        assert outcome.record.method_sha256 == now
        assert len(outcome.events) == 4
        assert ("the code of sds has changed since its checkpoint" in capsys.readouterr().err) is (first == 0)


@pytest.mark.parametrize(
    ("kept", "where"),
    [
        ({"history": np.zeros(2)}, "state 'mine'['history']: is a ndarray"),
        ({"all": [1, {2}]}, "state 'mine'['all'][1]: is a set"),
        ({torch.float32: 1.0}, "state 'mine': has a dtype for a key"),
    ],
)
def test_a_state_that_no_checkpoint_can_keep_is_named_at_the_start(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch, kept: dict[str, Any], where: str
) -> None:
    state = SimpleNamespace(state_dict=lambda: kept)
    method = type("Foreign", (_Foreign,), {"start": lambda self, prior: {"mine": state}})()
    monkeypatch.setattr(bench.cells.optimisation, "cell_method", lambda _: method)
    outcome = run_cell(cell, prior)
    assert _failure(outcome).startswith(f"ContractError: {where}")
    assert not outcome.events


def test_a_state_that_becomes_such_is_named_when_it_is_saved(
    cell: Cell, prior: Prior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, Any] = {}

    class Changing(_Foreign):
        def start(self, prior: Prior) -> Any:
            return {"mine": SimpleNamespace(state_dict=lambda: dict(kept))}

        def __call__(self, view: Any, **given: Any) -> Any:
            kept["last"] = np.zeros(1)
            return super().__call__(view, **given)

    monkeypatch.setattr(bench.cells.optimisation, "cell_method", lambda _: Changing())
    outcome = run_cell(cell, prior, checkpoint=Checkpoint(tmp_path / "c.safetensors", cell.identity, 0.0))
    assert _failure(outcome).startswith("ContractError: state 'mine'['last']: is a ndarray, which a checkpoint cannot")


def test_what_a_method_draws_before_its_first_step_counts_too(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = type("Foreign", (_Foreign,), {"start": lambda self, prior: torch.randn(1) and {}})()
    monkeypatch.setattr(bench.cells.optimisation, "cell_method", lambda _: method)
    assert _failure(run_cell(cell, prior)).startswith("GlobalDrawError: the method sds drew from the global generator")


def test_a_copy_with_adapters_may_be_made_in_a_step(run: Callable[..., Outcome]) -> None:
    def change(update: Distillation, prior: Any) -> Distillation:
        prior.adapted(4, torch.Generator())
        return update

    assert run(change, cached_prior("toybox", "mode")).record.status == "completed"


def test_a_check_of_the_prior_ends_no_cell(run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not where there is no memory for it, nor for a tensor that has no sum or is not a number."""
    prior = cached_prior("gaussian", "mode")
    held = [torch.zeros(2, device="meta"), torch.full((2,), torch.nan), torch.zeros(()), torch.zeros(0, 3)]
    monkeypatch.setattr(type(prior), "held_tensors", lambda self: held, raising=False)
    assert run(lambda update, given: update, prior).record.status == "completed"

    def refuse(values: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("bench.watch.shared_state._sums_of", refuse)
    assert run(lambda update, given: update, prior).record.status == "completed"


def test_an_earlier_failure_is_kept(run: Callable[..., Outcome]) -> None:
    def change(update: Distillation, prior: Any) -> Distillation:
        prior.alphas_cumprod.mul_(0.99)
        raise torch.OutOfMemoryError

    assert run(change).record.status == "oom"
    assert float(cached_prior("gaussian", "mode").alphas_cumprod[0]) > 0.99

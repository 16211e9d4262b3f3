from __future__ import annotations

import time
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import bench.cells.evaluation
import bench.cells.run_cell
from bench.cells.run_cell import run_cell
from bench.records.checkpoint import Checkpoint
from bench.study.cell import Cell
from bench.study.settings import DivergenceSettings
from bench.watch.divergence import Status
from methods.contracts import Prior
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.priors.loading import cached_prior
from methods.scenes.nerf.nerf import NeRFScene
from methods.settings import UnusablePackageError


def test_a_cell_runs_to_its_end(cell: Cell, prior: Prior) -> None:
    seen = []
    outcome = run_cell(cell, prior, on_step=seen.append)
    record = outcome.record
    assert (record.status, record.steps_done, record.failure, record.divergence) == ("completed", 4, None, None)
    assert [event.step for event in outcome.events] == [0, 1, 2, 3] == [event.step for event in seen]
    assert outcome.images.rgb.shape == (3, 8, 8, 3)
    assert outcome.images.opacity.shape == (3, 8, 8)
    assert outcome.images.opacity.max() > 50  # the blob shows
    assert record.unet_calls == sum(event.unet_calls for event in outcome.events) > 0
    assert record.identity == cell.identity
    assert record.seconds.optimise > 0


def test_the_record_names_the_backends(cell: Cell, prior: Prior) -> None:
    """In that of a failed cell, too; a scene without a choice has none."""
    expected = {"marching": "torch"}
    assert run_cell(cell, prior).record.environment.backends == expected  # its dense grid has no choice
    grid = {"name": "progressive_bands", "encoding": {"name": "hash_grid", "levels": 2}, "levels": 2, "start_level": 1}
    hashed = cell.model_copy(update={"scene": cell.scene | {"encoding": grid}})
    failed = run_cell(hashed, BrokenPrior(RuntimeError("lost"))).record
    assert (failed.status, failed.environment.backends) == ("crashed", expected | {"encoding": "torch"})
    flat = cell.model_copy(update={"scene": {"name": "image"}})
    assert run_cell(flat, prior).record.environment.backends == {}


def test_the_same_cell_gives_the_same_bits(cell: Cell, prior: Prior) -> None:
    one, two = run_cell(cell, prior), run_cell(cell, GaussianPrior())
    assert one.scene.keys() == two.scene.keys()
    assert all(torch.equal(one.scene[name], two.scene[name]) for name in one.scene)
    assert np.array_equal(one.images.rgb, two.images.rgb)


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
        (RuntimeError("CUDA error: out of memory"), "oom"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), "oom"),
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
    assert len(outcome.images.rgb) == 0


def test_a_package_that_does_not_work_is_no_failure_of_the_cell(cell: Cell) -> None:
    """Every other cell of its worker would find the same."""
    with pytest.raises(UnusablePackageError, match="needs the package"):
        run_cell(cell, BrokenPrior(UnusablePackageError("rasteriser: 'gsplat' needs the package gsplat")))


def test_an_interrupt_leaves(cell: Cell) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_cell(cell, BrokenPrior(KeyboardInterrupt()))


def test_nan_is_found_at_its_step_and_still_rendered(cell: Cell) -> None:
    outcome = run_cell(cell, BrokenPrior())
    record = outcome.record
    assert (record.status, record.steps_done) == ("nan", 3)
    assert record.divergence is not None
    assert (record.divergence.step, record.divergence.value) == (2, None)
    assert outcome.events[-1].loss is None
    assert outcome.images.rgb.shape == (3, 8, 8, 3)


def test_an_empty_scene_is_stopped(cell: Cell, prior: Prior) -> None:
    empty = cell.model_copy(
        update={
            "scene": cell.scene | {"blob": {"std": 1e-3}},
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
            "scene": cell.scene | {"blob": {"scale": 300.0, "std": 2.0}},
            "divergence": DivergenceSettings(patience=2),
        }
    )
    assert run_cell(fog, prior).record.status is Status.OPAQUE


def test_a_scene_that_does_not_move_is_frozen(cell: Cell, prior: Prior) -> None:
    slow = {"learning_rates": {"encoding": 1e-12, "network": 1e-12}}
    frozen = cell.model_copy(update={"scene": cell.scene | slow, "divergence": DivergenceSettings(patience=2)})
    record = run_cell(frozen, prior).record
    assert (record.status, record.steps_done) == ("frozen", 2)


@pytest.mark.parametrize("method", ["sds", "nfsd", "ism", "sdi"])
def test_a_healthy_start_is_not_called_diverged(cell: Cell, prior: Prior, method: str) -> None:
    """The scene and the bounds are the defaults; a short run can exhaust the patience."""
    healthy = cell.model_copy(
        update={
            "method": method,
            "hyper_parameters": {},
            "steps": 12,
            "scene": {"name": "nerf"},
            "divergence": DivergenceSettings(patience=3),
        }
    )
    assert run_cell(healthy, prior).record.status is Status.COMPLETED


def test_a_scene_lost_in_the_last_steps_is_found_in_its_views(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    render = NeRFScene.render

    def empty_evaluation(self: NeRFScene, *arguments: Any, **keywords: Any) -> Any:
        rendering = render(self, *arguments, **keywords)
        return rendering if torch.is_grad_enabled() else rendering._replace(opacity=0 * rendering.opacity)

    monkeypatch.setattr(NeRFScene, "render", empty_evaluation)
    record = run_cell(cell, prior).record
    assert (record.status, record.steps_done) == ("empty", 4)


def test_a_time_limit_ends_a_cell_with_its_views(cell: Cell, prior: Prior) -> None:
    outcome = run_cell(cell, prior, time_limit_seconds=1e-9)
    assert (outcome.record.status, outcome.record.steps_done) == ("timeout", 1)
    assert outcome.record.failure is not None
    assert outcome.record.failure.message == "1e-09 seconds ran out after 1 of 4 steps"
    assert len(outcome.images.rgb) == 3


def test_evaluation_views_do_not_depend_on_how_many_are_rendered_at_once(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = run_cell(cell, prior).images.rgb
    monkeypatch.setattr(bench.cells.evaluation, "VIEWS_AT_ONCE", 1)
    assert np.abs(run_cell(cell, prior).images.rgb.astype(int) - together).max() <= 1


class FullPrior(GaussianPrior):
    """Finds no memory, and does not hold the error as ``BrokenPrior`` does."""

    def predict_noise(self, *arguments: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_out_of_memory_leaves_its_memory_to_the_next_cell(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emptying the cache gives back nothing as long as the scene is held, by a variable or by the error's frames."""
    scenes: list[weakref.ref[Any]] = []
    emptied = []
    render = NeRFScene.render

    def seen(self: NeRFScene, *arguments: Any, **keywords: Any) -> Any:
        scenes.append(weakref.ref(self))
        return render(self, *arguments, **keywords)

    monkeypatch.setattr(NeRFScene, "render", seen)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(scenes[0]() is None))
    assert run_cell(cell, FullPrior()).record.status is Status.OOM
    assert emptied == [True]
    assert run_cell(cell, prior).record.status is Status.COMPLETED
    assert emptied == [True]


class Hand:
    """A clock whose time passes only where a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def slow_down(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, seconds: float) -> None:
        """Let every call of ``owner.name`` take ``seconds``."""
        call = getattr(owner, name)

        def slow(*arguments: Any, **keywords: Any) -> Any:
            self.now += seconds
            return call(*arguments, **keywords)

        monkeypatch.setattr(owner, name, slow)


def test_a_record_says_what_its_steps_spent_their_time_on(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    prior, hand = GaussianPrior(), Hand(monkeypatch)
    spent_in = {
        "encode": (prior, "encode", 0.125),
        "unet": (prior, "predict_noise", 0.25),
        "backward": (torch.Tensor, "backward", 0.5),
        "optimiser": (NeRFScene, "after_step", 1.0),
        "other": (prior, "embed", 2.0),
    }
    for owner, name, seconds in spent_in.values():
        hand.slow_down(monkeypatch, owner, name, seconds)
    rendered = NeRFScene.render

    def render(self: NeRFScene, *arguments: Any, training: bool = False, **keywords: Any) -> Any:
        hand.now += 4.0 * training
        return rendered(self, *arguments, training=training, **keywords)

    monkeypatch.setattr(NeRFScene, "render", render)
    outcome = run_cell(cell.model_copy(update={"steps": 5}), prior)
    spent = outcome.record.step_seconds
    embeds = 3  # the prompt with view words, the prompt alone, and the null prompt
    step = 4.0 + 0.125 + 0.25 + 0.5 + 1.0 + embeds * 2.0
    assert [event.seconds for event in outcome.events] == [step] * 5
    assert (spent.warm_up_steps, spent.warm_up) == (3, 3 * step)
    found = spent.model_dump(exclude={"warm_up_steps", "warm_up"})
    assert found == {"render": 8.0, "encode": 0.25, "unet": 0.5, "backward": 1.0, "optimiser": 2.0, "other": 12.0}
    assert outcome.record.seconds.optimise == 5 * step


def test_a_record_says_how_much_of_the_prompt_was_cut(cell: Cell, prior: Prior) -> None:
    assert run_cell(cell, prior).record.prompt_tokens_cut is None
    toybox = cached_prior("toybox", "mode")
    long = cell.model_copy(update={"steps": 1, "prompt": "a plate piled high with chocolate chip cookies"})
    for view_prompts, prompt, cut in (
        ("words", long.prompt, 15),
        ("perp_neg", long.prompt, 15),
        ("none", long.prompt, 12),
        ("words", "a duck", 0),
    ):
        record = run_cell(long.model_copy(update={"view_prompts": view_prompts, "prompt": prompt}), toybox).record
        assert record.status == "completed"
        assert record.prompt_tokens_cut == cut


def test_a_record_says_the_memory_of_each_phase(cell: Cell, prior: Prior) -> None:
    memory = run_cell(cell, prior).record.memory
    assert memory.by_phase.keys() == {"prepare", "optimise", "evaluate"}
    assert memory.peak_bytes >= max(memory.by_phase.values()) > 2**20


def test_a_record_says_the_energy_where_there_is_a_counter(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_cell(cell, prior).record.energy_joules is None
    readings = iter([100.0, 142.5])
    gpu = SimpleNamespace(energy_joules=lambda: next(readings), process_bytes=lambda: 77, driver=lambda: "580")
    monkeypatch.setattr(bench.cells.run_cell.Nvml, "find", lambda device: gpu)
    record = run_cell(cell, prior).record
    assert record.energy_joules == 42.5
    assert record.memory.process_bytes == 77


def _with_snapshots(cell: Cell) -> Cell:
    evaluation = cell.evaluation.model_copy(update={"snapshots": (0.25, 0.75), "snapshot_views": 2})
    return cell.model_copy(update={"evaluation": evaluation})


def test_snapshots_are_taken_on_the_way_and_change_nothing_else(cell: Cell, prior: Prior) -> None:
    plain, seen = run_cell(cell, prior), run_cell(_with_snapshots(cell), prior)
    assert [snapshot.step for snapshot in seen.snapshots] == [1, 3]
    for snapshot, event in zip(seen.snapshots, (seen.events[0], seen.events[2]), strict=True):
        assert snapshot.images.azimuth_deg == [seen.images.azimuth_deg[0], seen.images.azimuth_deg[1]]
        assert snapshot.images.rgb.shape == snapshot.images.normals.shape == (2, 8, 8, 3)
        assert snapshot.seconds >= sum(one.seconds for one in seen.events[: event.step + 1])
    assert not np.array_equal(*(snapshot.images.rgb for snapshot in seen.snapshots))
    assert all(torch.equal(plain.scene[name], seen.scene[name]) for name in plain.scene)
    assert np.array_equal(plain.images.rgb, seen.images.rgb)
    assert np.array_equal(plain.images.normals, seen.images.normals)
    without = {"seconds"}
    numbers = [[event.model_dump(exclude=without) for event in outcome.events] for outcome in (plain, seen)]
    assert numbers[0] == numbers[1]


def test_the_time_of_a_snapshot_is_charged_to_the_evaluation(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    Hand(monkeypatch).slow_down(monkeypatch, bench.cells.run_cell, "render_ring", 0.3)
    outcome = run_cell(_with_snapshots(cell), prior, time_limit_seconds=0.5)
    assert outcome.record.status is Status.COMPLETED  # three renders would have been beyond the limit
    assert outcome.record.seconds.evaluate == pytest.approx(0.9)
    assert outcome.record.seconds.optimise == 0.0
    assert outcome.snapshots[-1].seconds == 0.0


def test_the_time_of_a_checkpoint_is_charged_to_the_writing(
    cell: Cell, prior: Prior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the time of the optimisation nor the time limit of a cell depends on how often it is saved."""
    Hand(monkeypatch).slow_down(monkeypatch, Checkpoint, "save", 0.3)
    checkpoint = Checkpoint(tmp_path / "c.safetensors", cell.identity, every_seconds=1e9, every_steps=1)
    outcome = run_cell(cell, prior, checkpoint=checkpoint, time_limit_seconds=0.5)
    assert outcome.record.status is Status.COMPLETED  # two saves would have been beyond the limit
    assert outcome.record.seconds.write == pytest.approx(4 * 0.3)
    assert outcome.record.seconds.optimise == 0.0

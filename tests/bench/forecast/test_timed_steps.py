from __future__ import annotations

import time

import pytest

from bench.cells.optimisation import Optimisation, Step
from bench.cells.run_cell import run_cell
from bench.forecast.timed_steps import Stage, stages, time_cell
from bench.study.cell import Cell
from bench.study.settings import RenderSettings
from methods.contracts import Prior


def test_stages_are_those_of_the_render_schedule_the_largest_first() -> None:
    assert stages(RenderSettings(resolution=32)) == [Stage(0.0, 1.0, 32)]
    schedule = RenderSettings(resolution=((0.0, 64), (0.2, 512), (0.9, 128), (1.0, 256)))
    assert stages(schedule) == [Stage(0.2, 0.9, 512), Stage(0.9, 1.0, 128), Stage(0.0, 0.2, 64)]


@pytest.fixture
def slow_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Steps whose time is known: a hundredth of a second for a pixel of the render's side.  The steps taken."""
    taken = []
    take = Optimisation.step

    def timed(loop: Optimisation, step: int) -> Step:
        taken.append(step)
        event, divergence = take(loop, step)
        side = loop.cell.render.resolution_at(step / max(1, loop.cell.steps - 1))
        return Step(event.model_copy(update={"seconds": side / 100}), divergence)

    monkeypatch.setattr(Optimisation, "step", timed)
    return taken


def _with_schedule(cell: Cell) -> Cell:
    render = cell.render.model_copy(update={"resolution": ((0.0, 4), (0.25, 12))})
    return cell.model_copy(update={"render": render, "steps": 1000})


def test_every_resolution_counts_by_its_share_of_the_steps(cell: Cell, prior: Prior, slow_steps: list[int]) -> None:
    timed = time_cell(_with_schedule(cell), prior, seconds=60)
    assert timed.seconds == pytest.approx(1000 * (0.25 * 0.04 + 0.75 * 0.12), abs=5)
    assert not timed.is_cut_short
    # three places in each stage, and the first of each twice, for what later steps find ready
    assert sorted(set(slow_steps)) == [42, 125, 208, 375, 624, 874]
    assert len(slow_steps) == 8


def test_out_of_time_the_largest_renders_stand_for_the_others(cell: Cell, prior: Prior, slow_steps: list[int]) -> None:
    timed = time_cell(_with_schedule(cell), prior, seconds=0.0)
    assert timed.is_cut_short
    assert slow_steps == [624]
    assert timed.seconds == pytest.approx(1000 * 0.12, abs=5)


def test_a_forecast_is_of_the_order_of_the_cell(cell: Cell, prior: Prior) -> None:
    long = cell.model_copy(update={"steps": 60})
    timed = time_cell(long, prior, seconds=60)
    start = time.perf_counter()
    outcome = run_cell(long, prior)
    seconds = time.perf_counter() - start
    assert seconds / 8 < timed.seconds < 8 * seconds  # a shared machine, and steps of milliseconds
    assert timed.memory.kind == outcome.record.memory.kind
    scene = sum(value.numel() * value.element_size() for value in outcome.scene.values())
    events = sum(len(event.model_dump_json()) + 1 for event in outcome.events)
    assert timed.disk_bytes == pytest.approx(
        scene + events + outcome.images.rgb.nbytes + outcome.images.opacity.nbytes, rel=0.05
    )

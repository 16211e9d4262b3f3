"""The hot paths: a render, a network call, a step of each method, and what the harness adds to a cell.

Run by ``nox -s perf``, which stores each run; ``--benchmark-compare`` prints the ratios to an earlier one.
"""

from __future__ import annotations

import time
import timeit
from pathlib import Path

import pytest
import torch
from rich.console import Console

from bench.cells.streams import make_streams
from bench.commands.run import run_study
from bench.commands.score import score_study
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.settings import EvaluationSettings, PriorChoice
from bench.study.study import load_study
from methods.camera_range import CameraRange
from methods.cameras import evaluation_ring, sample_cameras
from methods.contracts import View, ViewPrompt
from methods.distillation import methods
from methods.priors.loading import cached_prior


@pytest.mark.benchmark(group="render")
@pytest.mark.parametrize("resolution", [32, 64])
def test_evaluation_view(benchmark, scene, resolution) -> None:
    ring, background = evaluation_ring(1), torch.ones(1, 3)
    with torch.no_grad():
        out = benchmark(scene.render, ring, resolution=resolution, background=background)
    assert out.rgb.shape == (1, 3, resolution, resolution)


@pytest.mark.benchmark(group="render")
def test_training_view(benchmark, scene) -> None:
    cameras, background = evaluation_ring(1), torch.ones(1, 3)

    def forward_and_backward() -> None:
        scene.render(cameras, resolution=32, background=background).rgb.square().mean().backward()

    benchmark(forward_and_backward)


@pytest.mark.benchmark(group="network call")
@pytest.mark.parametrize("rows", [1, 2, 4, 8, 16])
def test_network_call(benchmark, prior, rows) -> None:
    noisy = torch.randn(rows, *prior.latent_shape, generator=torch.Generator().manual_seed(0))
    timesteps = torch.full((rows,), 500)
    conditioning = prior.embed(["a red car"] * rows)
    benchmark.extra_info["rows"] = rows
    assert benchmark(prior.predict_noise, noisy, timesteps, conditioning).shape == noisy.shape


@pytest.fixture(scope="module")
def row_seconds(prior) -> float:
    """Least time of the network for one row, in calls of four rows: more rows per call are hardly faster."""
    noisy, timesteps = torch.zeros(4, *prior.latent_shape), torch.full((4,), 500)
    conditioning = prior.embed(["a red car"] * 4)
    with torch.no_grad():
        return min(timeit.repeat(lambda: prior.predict_noise(noisy, timesteps, conditioning), number=1, repeat=9)) / 4


@pytest.mark.benchmark(group="step of a method")
@pytest.mark.parametrize("name", methods.names())
def test_method_step(benchmark, prior, scene, name, row_seconds) -> None:
    """Extra information: the network's rows in a step, and how near the step is to the time of these alone."""
    method = methods[name]().calibrated(prior)
    streams = make_streams(0, "speed")
    cameras = sample_cameras(CameraRange(), 1, streams["camera"])
    prompt = ViewPrompt(*(prior.embed([text]) for text in ("a red car", "", method.negative_prompt)))
    state = method.start(prior)

    def step() -> None:
        rendering = scene.render(
            cameras, resolution=32, background=torch.ones(1, 3), generator=streams["rays"], training=True
        )
        view = View(rendering, cameras, prior)
        method(view, prior=prior, prompt=prompt, progress=0.5, streams=streams, state=state).loss.backward()

    before = prior.rows
    step()
    rows = prior.rows - before
    benchmark(step)
    if benchmark.stats is not None:  # it is None under --benchmark-disable
        floor = rows * row_seconds
        benchmark.extra_info.update(rows=rows, floor_seconds=floor, floor_share=floor / benchmark.stats.stats.min)


@pytest.mark.benchmark(group="harness")
def test_harness_cost_of_a_cell(benchmark, tmp_path: Path) -> None:
    """A whole cell of one step on the closed-form prior: nearly all of it is the harness and its record."""
    study = load_study("quick").model_copy(
        update={
            "prior": PriorChoice(name="gaussian"),
            "scorers": "toybox",
            "steps": 1,
            "prompt_ids": ("blue-duck",),
            "name": "speed",
        }
    )
    study = study.model_copy(update={"evaluation": EvaluationSettings(views=4, resolution=8)})
    study = study.narrow(methods=("sds",))
    console = Console(quiet=True)
    folders = iter(range(10_000))

    def one_cell() -> None:
        run_study(study, RunStore(tmp_path / str(next(folders))), console)

    benchmark.pedantic(one_cell, rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="harness")
def test_harness_share_of_a_study(benchmark, tmp_path: Path) -> None:
    """Time of the quick study's 12 cells, with a tenth of their steps, beyond what they and their scores take."""
    study = load_study("quick").narrow(steps=20).model_copy(update={"threads": 1})
    store, console = RunStore(tmp_path), Console(quiet=True)
    cached_prior.cache_clear()
    start = time.perf_counter()
    benchmark.pedantic(run_study, args=(study, store, console), rounds=1)
    run = time.perf_counter() - start
    score_study(study, store, console)
    scoring = time.perf_counter() - start - run
    cells = sum(record.seconds.total for cell in expand(study) if (record := store.read(cell)))
    share = (run - cells) / (run + scoring)
    benchmark.extra_info |= {"cells": cells, "scoring": scoring, "harness": run - cells, "share": share}
    assert len(store.finished()) == 12
    assert share <= 0.03

"""What a cell says it cost, on a GPU with networks of Stable Diffusion 2.1's size and on the CPU with tiny ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from rich.console import Console

from bench.cells.optimisation import Optimisation
from bench.cells.run_cell import run_cell
from bench.cells.torch_settings import torch_settings
from bench.records.outcome import Outcome
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.settings import DivergenceSettings
from bench.study.study import parse_study
from bench.watch.step_clock import WARM_UP_STEPS, StepClock
from methods.contracts import Distillation
from methods.distillation import methods

on_gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]
DEVICES = [pytest.param("cpu", id="cpu-tiny"), pytest.param("cuda", id="cuda", marks=on_gpu)]

pytestmark = [  # what torch says of kernels without a deterministic form, and of the mode that finds waiting
    pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype feature"),
]

#: Marching and encoding of the paper's scene, on the best backends that work.
PAPER = {
    "marching": {"name": "occupancy", "samples": 512},
    "encoding": {"name": "hash_grid", "levels": 16, "log2_table_size": 19, "base_resolution": 16,
                 "finest_resolution": 4096, "layout": "tiny_cuda_nn"},
}  # fmt: skip


def _cell(prior: Any, method: str, *, resolution: int, steps: int, scene: dict[str, Any] | None = None) -> Cell:
    small = {"marching": {"name": "occupancy", "samples": 14}, "encoding": "dense_grid"}
    size = PAPER if prior.device.type == "cuda" else small
    fields = {
        "name": "cost", "title": "Cost", "prior": prior.name, "scorers": "toybox", "prompts": "toybox",
        "prompt_ids": ["blue-duck"], "metrics": ["ground_truth"], "baseline": method, "methods": {method: {}},
        "steps": steps, "render": {"resolution": resolution}, "evaluation": {"views": 2, "resolution": resolution},
        "scene": {"name": "nerf"} | size | (scene or {}),
    }  # fmt: skip
    return expand(parse_study(fields, where="cost"))[0]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _seconds_of(work: Callable[[], Any], device: torch.device, repeats: int) -> float:
    """Wall time of one ``work`` once it is warm."""
    for _ in range(WARM_UP_STEPS):
        work()
    _wait(device)
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    _wait(device)
    return (time.perf_counter() - start) / repeats


def test_the_full_size_networks_are_those_of_stable_diffusion_2_1(full_size: dict[str, torch.nn.Module]) -> None:
    """Counts of parameters of the published files."""
    counts = {name: sum(value.numel() for value in network.parameters()) for name, network in full_size.items()}
    assert counts == {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840}


@pytest.mark.parametrize("device", DEVICES)
def test_peaks_of_memory_by_phase(prior: Any, device: str) -> None:
    memory = run_cell(_cell(prior, "sds", resolution=64, steps=4), prior).record.memory
    phases = {"prepare", "optimise", "evaluate"}
    if device == "cpu":
        assert memory.by_phase.keys() == phases
        return
    assert memory.kind == "cuda"
    assert memory.by_phase.keys() == phases | {f"{phase}_reserved" for phase in phases}
    weights = sum(value.numel() * value.element_size() for value in prior._network.parameters())
    for phase in phases:
        assert weights < memory.by_phase[phase] <= memory.by_phase[f"{phase}_reserved"]
    assert memory.peak_bytes == max(memory.by_phase[phase] for phase in phases)
    assert memory.arm_bytes == max(memory.by_phase[phase] for phase in ("optimise", "evaluate"))
    assert memory.arm_bytes == memory.by_phase["optimise"]
    if memory.process_bytes is not None:
        assert memory.process_bytes >= memory.by_phase["evaluate_reserved"]


@pytest.mark.parametrize("device", DEVICES)
def test_parts_add_up_to_the_wall_time(prior: Any, device: str) -> None:
    outcome = run_cell(_cell(prior, "sds", resolution=64, steps=WARM_UP_STEPS + 10), prior)
    spent = outcome.record.step_seconds
    wall = sum(event.seconds for event in outcome.events[WARM_UP_STEPS:])
    parts = spent.render + spent.encode + spent.unet + spent.backward + spent.optimiser
    assert spent.warm_up_steps == WARM_UP_STEPS
    assert min(spent.render, spent.encode, spent.unet, spent.backward, spent.optimiser) > 0
    assert parts == pytest.approx(wall, rel=0.2 if device == "cuda" else 0.5)


class _GuardedClock(StepClock):
    """Lets no part of a step wait for the GPU, except where the number of samples decides what is computed."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.guarded: set[str] = set()

    @contextmanager
    def part(self, name: Any) -> Iterator[None]:
        with super().part(name), _no_waiting(self._device) if name != "render" else _anything():
            self.guarded.add(name)
            yield


@contextmanager
def _no_waiting(device: torch.device) -> Iterator[None]:
    if device.type != "cuda":
        yield
        return
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


@contextmanager
def _anything() -> Iterator[None]:
    yield


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("method", ["sds", "sdi", "ism", "vsd"])
def test_no_part_of_a_step_waits_for_the_gpu(
    prior: Any, method: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does the method's own arithmetic between them."""
    cell = _cell(prior, method, resolution=64, steps=3, scene={"occupancy": {"every": 1000}})
    clock = _GuardedClock(prior.device)
    loop = Optimisation(cell, prior, clock)
    plain = methods[method].__call__

    def guarded(*given: Any, **named: Any) -> Distillation:
        with _no_waiting(prior.device):
            return plain(*given, **named)

    monkeypatch.setattr(methods[method], "__call__", guarded)
    for _ in loop:
        pass
    assert clock.guarded == {"render", "encode", "unet", "backward", "optimiser"}


def _report(outcome: Outcome, prior: Any) -> dict[str, float]:
    """Seconds per warm step by part, those of the bare networks in the same run, and the ratio."""
    record, device, side, rows = outcome.record, prior.device, prior.resolution, 2
    warm = outcome.events[record.step_seconds.warm_up_steps :]
    steps = len(warm)
    parts = record.step_seconds.model_dump(exclude={"warm_up_steps", "warm_up"})
    latents = torch.zeros(rows, 4, side // 8, side // 8, device=device)
    times, text = torch.full((rows,), 500, device=device), prior.embed(["a duck"] * rows)
    rgb = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(device).requires_grad_()
    with torch.no_grad():
        unet = _seconds_of(lambda: prior.predict_noise(latents, times, text), device, 10)
    vae = _seconds_of(lambda: prior.encode(rgb).sum().backward(), device, 10)
    bare = unet * sum(event.unet_rows for event in warm) / rows / steps + vae
    whole = sum(parts.values()) / steps
    return {f"{name} s": value / steps for name, value in parts.items()} | {
        "step s": whole,
        "UNet rows / s": rows / unet,
        "VAE there and back s": vae,
        "step / bare networks": whole / bare,
        "peak GB": record.memory.arm_bytes / 1e9,
        "reserved GB": (record.memory.arm_reserved_bytes or 0) / 1e9,
        "energy J": record.energy_joules or 0.0,
    }


@pytest.mark.parametrize(
    ("device", "resolution"),
    [
        pytest.param("cpu", 64, id="cpu-tiny-64"),
        pytest.param("cuda", 64, id="cuda-64", marks=on_gpu),
        pytest.param("cuda", 512, id="cuda-512", marks=on_gpu),
    ],
)
@pytest.mark.parametrize("method", ["sds", "sdi"])
def test_a_step_costs_little_beyond_its_networks(
    prior: Any, method: str, resolution: int, device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bars: at 512² a step within 1.25 times its bare UNet and VAE, and at most 20 GB (the paper's SDI: 39.2)."""
    cell = _cell(prior, method, resolution=resolution, steps=60 if device == "cuda" else WARM_UP_STEPS + 2)
    # random weights lead nowhere, and a scene that diverged would be stopped
    cell = cell.model_copy(update={"divergence": DivergenceSettings(patience=1000)})
    with torch_settings(torch.get_num_threads()):
        outcome = run_cell(cell, prior)
    record = outcome.record
    assert record.steps_done == cell.steps, record.failure
    report = _report(outcome, prior)
    with capsys.disabled():
        lines = "\n".join(f"  {name:22} {value:10.4f}" for name, value in report.items())
        Console().print(f"\n{method} at {resolution}², {record.environment.device}, {record.steps_done} steps\n{lines}")
    assert all(value >= 0 for name, value in report.items() if name != "other s")
    if device == "cuda" and resolution == 512:
        assert report["peak GB"] <= 20
        assert report["step / bare networks"] <= 1.25

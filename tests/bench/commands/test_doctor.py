from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
import torch
from foreign_package import install
from rich.console import Console

import bench.commands.determinism
import methods.distillation
import methods.priors
from bench.commands.backends import BACKENDS, Backend
from bench.commands.doctor import half_precision, run_doctor
from methods.diffusion.schedules import schedules
from metrics import suites


def _report() -> tuple[bool, str]:
    console = Console(file=io.StringIO(), width=400)
    healthy = run_doctor(console)
    return healthy, console.file.getvalue()  # type: ignore[attr-defined]


def _row(text: str, name: str) -> str:
    [line] = [line for line in text.splitlines() if line.startswith(f"│ {name} ")]
    return line.split("│")[2].strip()


def test_doctor_tells_of_machine_backends_and_determinism() -> None:
    healthy, text = _report()
    assert healthy
    for backend in BACKENDS:
        assert _row(text, backend.name).startswith(("there, ", "missing: pip install "))
    for part in ("encoding hash_grid", "marching occupancy"):
        assert _row(text, part).startswith("auto takes ")
    assert _row(text, "same cell twice, cpu") == "bit-equal"
    if not torch.cuda.is_available():
        assert _row(text, "GPU") == "none; the CPU does all the work"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the two cells, which take seconds."""
    monkeypatch.setattr(bench.commands.determinism, "largest_difference", lambda device: 0.0)


@pytest.mark.parametrize(
    ("answer", "line"),
    [(2.5e-7, "parameters differ by up to 2.5e-07"), (RuntimeError("full [disk]"), "not measured: full [disk]")],
    ids=["differs", "fails"],
)
def test_doctor_tells_what_it_measured(monkeypatch: pytest.MonkeyPatch, answer: float | Exception, line: str) -> None:
    def measured(device: torch.device) -> float:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(bench.commands.determinism, "largest_difference", measured)
    healthy, text = _report()
    assert healthy
    assert _row(text, "same cell twice, cpu") == line


def test_doctor_tells_of_a_gpu(monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    chosen: list[str] = []
    monkeypatch.setenv("SDIBENCH_DEVICE", "cuda:1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (3 * 2**30, 8 * 2**30))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    monkeypatch.setattr(Backend, "state", lambda self: "not looked at")
    monkeypatch.setattr(Backend, "choice", lambda self: "not looked at")
    monkeypatch.setattr("bench.watch.nvml.Nvml.find", lambda device: None)
    monkeypatch.setattr("bench.commands.doctor.half_precision", lambda device: f"right on {device}")
    _, text = _report()
    assert chosen == ["cuda:1"]
    assert _row(text, "float16") == "right on cuda"
    assert _row(text, "GPU").startswith("a GPU, 3.0 of 8.0 GiB free, CUDA ")
    assert _row(text, "same cell twice, cuda") == "bit-equal"


def test_doctor_tells_of_weights_that_are_not_the_cards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    shutil.copytree(methods.priors._WEIGHTS / "toybox", tmp_path / "toybox")
    with (tmp_path / "toybox" / "tokenizer" / "merges.txt").open("a") as file:
        file.write("x")
    monkeypatch.setattr(methods.priors, "_WEIGHTS", tmp_path)
    healthy, text = _report()
    assert not healthy
    assert "merges.txt: SHA-256 is" in text
    assert "but card.json says" in text


def test_half_precision_is_right_here_or_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert half_precision(torch.device("cpu")).startswith("a convolution is right to ")
    exact = torch.nn.functional.conv2d

    def broken(image: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        return exact(image, kernel) * (float("nan") if image.dtype == torch.float16 else 1.0)

    monkeypatch.setattr(torch.nn.functional, "conv2d", broken)
    assert half_precision(torch.device("cpu")).endswith("set SDIBENCH_DTYPE=float32")


def test_doctor_checks_the_scores_of_known_images(monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    healthy, text = _report()
    assert healthy
    assert _row(text, "weights: clip of the suite toybox").endswith("; three known images score as expected")
    assert "known images" not in _row(text, "weights: clip of the suite sd21")
    suite = suites["toybox"]
    model = suite.models["reward"].model_copy(update={"expected": (1.0, 0.0, -1.0)})
    models = {**suite.models, "reward": model}
    monkeypatch.setitem(suites._found, "toybox", suite.model_copy(update={"models": models}))
    healthy, text = _report()
    assert not healthy
    assert _row(text, "weights: reward of the suite toybox").startswith("the suite toybox: reward: three known images")


BROKEN = {"sdibench.method: broken": "Mine", "sdibench.prior: broken": "Mine", "sdibench.metrics: typo": "Mine"}


def test_doctor_lists_what_other_packages_add_and_goes_on_where_one_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "foreign-sick", "import nopackage\n", BROKEN)
    module = "from methods.diffusion.schedules.uniform import Uniform as Mine\n"
    install(tmp_path, "foreign-schedule", module, {"sdibench.timestep_schedule: sound": "Mine"})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(methods.distillation.methods, "_loaded", False)
    monkeypatch.setattr(methods.priors.priors, "_loaded", False)
    monkeypatch.setattr(schedules, "_found", dict(schedules._found))
    healthy, text = _report()
    assert not healthy
    for group in ("method", "prior"):
        row = _row(text, f"sdibench.{group}: broken")
        assert row.startswith(
            f"foreign-sick 1.2, {group}: the entry point broken = foreign_sick:Mine cannot be imported"
        )
    row = _row(text, "sdibench.metrics: typo")
    assert row.startswith(
        "foreign-sick 1.2, is not looked at: unknown group 'sdibench.metrics': did you mean sdibench."
    )
    assert _row(text, "sdibench.timestep_schedule: sound") == "foreign-schedule 1.2, loads"
    assert _row(text, "same cell twice, cpu").startswith("not measured: ")
    assert _row(text, "weights").startswith("not checked: prior: the entry point broken = ")

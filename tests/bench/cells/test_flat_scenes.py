"""Two-dimensional scenes in the harness."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cells.run_cell import run_cell
from bench.study.expand import expand
from bench.study.study import load_study
from bench.watch.divergence import Status
from methods.priors.loading import cached_prior

FLAT = """
title = "Flat"
prior = "gaussian"
scorers = "toybox"
prompts = "toybox"
prompt_ids = ["blue-duck"]
steps = 6
view_prompts = "none"
metrics = ["ground_truth"]
baseline = "sds"
threads = 1
[scene]
name = "{name}"
[render]
resolution = 16
[evaluation]
views = 2
resolution = 12
[divergence]
patience = 3
opaque_opacity = {bound}
[methods.sds]
"""


@pytest.mark.parametrize("name", ["image", "latent"])
def test_a_study_of_images_runs_to_its_end_with_the_opaque_check_off(name, tmp_path: Path) -> None:
    """An image is opaque everywhere: with the bound at 1 nothing diverges, with any lower one everything does."""
    statuses = {}
    for bound in (1.0, 0.99):
        path = tmp_path / f"flat-{bound}.toml"
        path.write_text(FLAT.format(name=name, bound=bound))
        cell = expand(load_study(path))[0]
        outcome = run_cell(cell, cached_prior("gaussian", "mode"))
        statuses[bound] = outcome.record.status
        assert outcome.record.failure is None
        assert outcome.images.rgb.shape == (2, 12, 12, 3)
        assert (outcome.images.rgb[0] == outcome.images.rgb[1]).all()
        assert set(cell.scene) <= {"name", "side", "initial_std", "learning_rate"}
    assert statuses == {1.0: Status.COMPLETED, 0.99: Status.OPAQUE}

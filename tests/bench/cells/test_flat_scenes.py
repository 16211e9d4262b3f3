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
def test_an_image_never_diverges_because_it_is_opaque(name: str, tmp_path: Path) -> None:
    """It is opaque everywhere by construction, whatever the bounds of the study are."""
    for bound in (1.0, 0.5):
        path = tmp_path / f"flat-{bound}.toml"
        path.write_text(FLAT.format(name=name, bound=bound))
        cell = expand(load_study(path))[0]
        outcome = run_cell(cell, cached_prior("gaussian", "mode"))
        assert outcome.record.failure is None
        assert outcome.record.status is Status.COMPLETED
        assert outcome.images.rgb.shape == (2, 12, 12, 3)
        assert (outcome.images.rgb[0] == outcome.images.rgb[1]).all()
        assert set(cell.scene) <= {"name", "side", "initial_std", "learning_rate"}

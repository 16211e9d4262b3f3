from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from bench.cells.streams import make_streams
from bench.measurements.inversion_error import Options, differences, errors, main, measure, truths
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.inversion import fixed_point_error
from methods.inversion.random import RandomNoise
from methods.priors.loading import load_prior


def test_errors_of_the_images_average_to_that_of_the_batch() -> None:
    prior = load_prior("gaussian")
    view, prompt, _ = truths(prior, 3)
    timesteps = torch.full((3,), 500)
    each = errors(prior, view, prompt, RandomNoise(), 500, make_streams(0, "x")["noise"])
    kappa = RandomNoise()(view, timesteps, prior=prior, prompt=prompt, streams=make_streams(0, "x"), state={})
    noisy = add_noise(prior, view.clean, kappa, timesteps)
    guided = guided_prediction(prior, noisy, timesteps, prompt, prior.guidance_scale)
    assert each.mean() == pytest.approx(float(fixed_point_error(prior, guided.noise, kappa, timesteps)), rel=1e-5)


def test_differences_are_paired_by_image() -> None:
    level = np.arange(12.0) * 100  # images differ far more than strategies do
    frame = pd.DataFrame(
        [("random", 200, i, level[i]) for i in range(12)]
        + [("ddim", 200, i, level[i] - 1 - 0.01 * i) for i in range(12)],
        columns=["strategy", "timestep", "image", "error"],
    )
    row = differences(frame, 0).iloc[0]
    assert row["difference"] == pytest.approx(-1.055)
    assert -1.11 < row["low"] < row["difference"] < row["high"] < -1.0


def test_ddim_inversion_is_nearer_to_the_fixed_point_than_fresh_noise_on_the_toybox() -> None:
    """The ordering that figure 9 of the paper shows, on eight images: the whole interval is below zero."""
    prior = load_prior("toybox")
    frame = measure(prior, Options(images=8, timesteps=(400,)), ["random", "ddim"])
    assert differences(frame, 0).iloc[0]["high"] < 0


def test_what_is_printed_is_written_also_with_too_few_images_for_an_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(Options(prior="gaussian", images=3, timesteps=(500,), out=tmp_path / "errors.csv"))
    assert "nan" not in capsys.readouterr().out
    rows = pd.read_csv(tmp_path / "errors.csv").set_index("strategy")
    assert rows.loc["random", ["difference", "low", "high"]].isna().all()
    assert np.isfinite(rows.loc["ddim", ["error", "difference"]].astype(float)).all()
    assert rows.loc["ddim", ["low", "high"]].isna().all()

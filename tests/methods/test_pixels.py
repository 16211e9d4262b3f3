from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from methods.cameras import evaluation_ring
from methods.contracts import Rendering, View
from methods.pixels import NotFiniteError, clamp_finite, mark_not_finite, to_bytes
from methods.priors.loading import load_prior

ROOT = Path(__file__).parents[2]


def test_values_are_rounded_and_clamped() -> None:
    found = to_bytes(torch.tensor([[-1.0, 0.0, 0.5 / 255 + 1e-6, 0.5, 1.0, 7.0]]))
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 0, 1, 128, 255, 255]]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_value_that_is_not_finite_is_no_pixel(value: float) -> None:
    values = torch.zeros(2, 6)
    values[1, 2] = value
    with pytest.raises(NotFiniteError, match=r"^1 of 12 values of its images are not finite"):
        to_bytes(values)


def test_pixels_without_a_colour_are_magenta() -> None:
    rgb = torch.full((2, 3, 2, 2), 0.25)
    rgb[1, 2, 0, 1] = torch.nan
    marked = mark_not_finite(rgb)
    assert marked[1, :, 0, 1].tolist() == [1.0, 0.0, 1.0]
    marked[1, :, 0, 1] = 0.25
    assert (marked == 0.25).all()


def test_a_clamp_of_finite_values_is_torch_s_and_hides_no_infinite_one() -> None:
    values = (4 * torch.randn(5, 7, generator=torch.Generator().manual_seed(0))).requires_grad_()
    for bounds in ((0.0, 1.0), (-1.5, 0.5)):
        found, expected = clamp_finite(values, *bounds), values.clamp(*bounds)
        assert torch.equal(found, expected)
        up = torch.linspace(-3, 3, 35).view(5, 7)
        [ours], [torchs] = (torch.autograd.grad(clamped, values, up) for clamped in (found, expected))
        assert torch.equal(ours, torchs)
    broken = clamp_finite(torch.tensor([torch.inf, -torch.inf, torch.nan, 7.0]))
    assert broken.isfinite().tolist() == [False, False, False, True]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_no_decoder_hides_an_infinite_value(value: float) -> None:
    for prior in map(load_prior, ("gaussian", "mixture", "toybox")):
        latents = torch.zeros(1, *prior.latent_shape)
        assert prior.decode(latents).isfinite().all()
        latents[0, 1, 2, 3] = value
        assert not prior.decode(latents).isfinite().all()
        assert not prior.bound(latents).isfinite().all()
        rendering = Rendering(None, torch.ones(1, 1, 24, 24), torch.zeros(1, 1, 24, 24), latents=latents)
        assert not View(rendering, evaluation_ring(1), prior).rgb.isfinite().all()


def test_no_other_file_makes_bytes_of_colours() -> None:
    """A conversion to uint8 elsewhere would turn NaN into black without a word; those of whole numbers are named."""
    whole_numbers = {
        "bench/imports/decoding.py",  # from the whole numbers of a file
        "bench/measurements/changed_truth.py",  # from means of uint8
        "bench/records/checkpoint.py",  # bytes to hash
        "bench/scores/checked_scores.py",  # bytes to sum
        "bench/training/known_images.py",  # from uint8
        "metrics/controls/flat.py",  # from means of uint8
        "metrics/pyiqa_metric.py",  # bytes to hash
        "reports/pages/meshes.py",  # from uint8
        "methods/pixels.py",
    }
    found = set()
    for package in ("bench", "methods", "metrics", "prompts", "reports"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                called = getattr(node.func, "attr", "") if isinstance(node, ast.Call) else ""
                if called == "byte" or (called in ("to", "astype", "view") and "uint8" in ast.unparse(node)):
                    found.add(path.relative_to(ROOT).as_posix())
    assert found == whole_numbers

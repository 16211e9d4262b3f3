"""Our HPSv2.1 and PickScore against the package hpsv2 and transformers' CLIPModel, on the same random weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from methods.weights import write_card
from metrics import Views, metrics
from metrics.models.clip import ClipModel
from metrics.models.convert_hps import convert_hps
from metrics.models.convert_transformers import convert_transformers
from metrics.suites import ScorerModel, Suite

SEED, IMAGE_SEED = 8, 13
CUDA = pytest.param(
    "cuda",
    marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
)


@pytest.fixture(scope="module")
def published(layouts: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of both models, images of two shapes in turn, and prompts."""
    folder, sizes = tmp_path_factory.mktemp("published"), layouts.LargeClip()
    weights = layouts.large_clip_weights(layouts.hps_shapes(sizes), SEED)
    torch.save({"state_dict": weights, "epoch": 0}, folder / "HPS_v2.1_compressed.pt")
    (folder / "open_clip.json").write_text(json.dumps(sizes.open_clip()))
    save_file(layouts.large_clip_weights(layouts.pick_shapes(sizes), SEED), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(sizes.transformers()))
    (folder / "prompts.json").write_text(json.dumps(layouts.PROMPTS))
    np.save(folder / "images.npy", layouts.images(3, 150, 200, IMAGE_SEED))
    return folder


@pytest.fixture(scope="module")
def suite(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """Both as they are loaded, converted from the published files."""
    hps, pick = (tmp_path_factory.mktemp(role) for role in ("hps", "pick"))
    convert_hps(published / "HPS_v2.1_compressed.pt", hps)
    convert_transformers(published, pick)
    for folder in (hps, pick):
        write_card(folder, title="tiny")
    models = {
        "hps": ScorerModel(folder=hps, preprocessing="tensor", quick_gelu=False),
        "pick": ScorerModel(folder=pick, quick_gelu=False),
    }
    return Suite(name="tiny", note="random weights", models=models)


def _ours(suite: Suite, name: str, published: Path, layouts: ModuleType, device: str = "cpu") -> np.ndarray:
    rgb, metric = np.load(published / "images.npy"), metrics[name](suite, device)
    views = Views(rgb, np.full(rgb.shape[:3], 255, dtype=np.uint8), np.arange(len(rgb)) * 120.0)
    return np.stack([metric.score(views, prompt, [])[name] for prompt in layouts.PROMPTS])


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("name", ["hps", "pick_score"])
def test_equals_the_recorded_scores(
    name: str, device: str, suite: Suite, published: Path, layouts: ModuleType, recorded: Callable[..., Any]
) -> None:
    golden = recorded(name)
    assert (golden["seed"], golden["image_seed"]) == (SEED, IMAGE_SEED)
    found = _ours(suite, name, published, layouts, device)
    np.testing.assert_allclose(found, golden["scores"], atol=1e-4 if device == "cpu" else 1e-3, rtol=0)
    assert np.ptp(golden["scores"], axis=1).min() > 0.01  # the images matter
    assert np.ptp(golden["scores"], axis=0).min() > 0.01  # as does the text


def test_hps_equals_the_package(
    suite: Suite, published: Path, layouts: ModuleType, reference: Callable[..., Any], recorded: Callable[..., Any]
) -> None:
    scores = reference("hpsv2")(published)
    np.testing.assert_allclose(_ours(suite, "hps", published, layouts), scores, atol=1e-4, rtol=0)
    golden = recorded("hps", {"seed": SEED, "image_seed": IMAGE_SEED, "scores": scores})
    np.testing.assert_allclose(golden["scores"], scores, atol=1e-4, rtol=0)


def test_pick_score_equals_transformers(
    suite: Suite, published: Path, layouts: ModuleType, reference: Callable[..., Any], recorded: Callable[..., Any]
) -> None:
    scores = reference("pick_score")(published)
    np.testing.assert_allclose(_ours(suite, "pick_score", published, layouts), scores["pillow"], atol=1e-4, rtol=0)
    golden = recorded("pick_score", {"seed": SEED, "image_seed": IMAGE_SEED, "scores": scores["pillow"]})
    np.testing.assert_allclose(golden["scores"], scores["pillow"], atol=1e-4, rtol=0)


def test_the_resizing_of_the_tensor_matters(suite: Suite, published: Path, layouts: ModuleType) -> None:
    """The golden scores distinguish HPSv2's resizing from that of our other CLIPs."""
    model = suite.models["hps"].model_copy(update={"preprocessing": "image"})
    other = suite.model_copy(update={"models": {"hps": model}})
    scores = [_ours(each, "hps", published, layouts) for each in (suite, other)]
    assert np.abs(scores[0] - scores[1]).min() > 0.001


@pytest.mark.full_size
def test_the_real_layouts_load_at_their_real_size(layouts: ModuleType, tmp_path: Path) -> None:
    """986 million random parameters in each of the two published layouts: minutes, 15 GB of memory, 8 of disk."""
    sizes, images = layouts.VIT_H, layouts.images(1, 512, 512, IMAGE_SEED)
    assert sum(np.prod(shape) for shape in layouts.hps_shapes(sizes).values()) == pytest.approx(986.1e6, rel=1e-3)
    torch.save({"state_dict": layouts.large_clip_weights(layouts.hps_shapes(sizes), SEED)}, tmp_path / "hps.pt")
    convert_hps(tmp_path / "hps.pt", tmp_path / "hps")
    (tmp_path / "hps.pt").unlink()
    model = ClipModel(tmp_path / "hps", preprocessing="tensor")
    assert model.image_features(images).shape == (1, 1024)
    assert model.logit_scale == pytest.approx(100.0)
    (tmp_path / "hps" / "open_clip_model.safetensors").unlink()
    save_file(layouts.large_clip_weights(layouts.pick_shapes(sizes), SEED), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(sizes.transformers()))
    convert_transformers(tmp_path, tmp_path / "pick")
    (tmp_path / "model.safetensors").unlink()
    assert ClipModel(tmp_path / "pick").text_features(["a duck"]).shape == (1, 1024)

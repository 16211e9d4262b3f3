"""Our CLIP Score and CLIP-IQA against OpenAI's clip and pyiqa, on the same random weights in OpenAI's layout."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from methods.weights import write_card
from metrics.clip_iqa import ClipIqa
from metrics.clip_score import ClipScore
from metrics.suites import ScorerModel, Suite
from metrics.views import Views

SEED, IMAGE_SEED = 3, 12
CUDA = pytest.param(
    "cuda",
    marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
)


@pytest.fixture(scope="module")
def suite(layouts: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """The suite sd21 with tiny models, in folders of open_clip's format."""
    home = tmp_path_factory.mktemp("weights")
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    for role, resnet in (("clip", False), ("iqa", True)):
        folder = home / "sd21" / role
        folder.mkdir(parents=True)
        preprocess = {"mean": mean, "std": std, "interpolation": "bicubic", "resize_mode": "shortest"}
        config = {"model_cfg": layouts.clip_config(resnet=resnet), "preprocess_cfg": preprocess}
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        save_file(layouts.clip_weights(SEED, resnet=resnet), folder / "open_clip_model.safetensors")
        write_card(folder, title="tiny")
    models = {
        "clip": ScorerModel(folder=home / "sd21" / "clip"),
        "iqa": ScorerModel(folder=home / "sd21" / "iqa", preprocessing="native"),
    }
    return Suite(name="tiny", note="random weights", models=models)


@pytest.fixture(scope="module")
def views(layouts: ModuleType) -> Views:
    """Three images that no model was trained for: wide, and larger than the network's."""
    rgb = layouts.images(3, 160, 224, IMAGE_SEED)
    return Views(rgb, np.full(rgb.shape[:3], 255, dtype=np.uint8), np.arange(3) * 120.0)


def _ours(suite: Suite, views: Views, layouts: ModuleType, device: str = "cpu") -> dict[str, np.ndarray]:
    iqa = ClipIqa(suite, device).score(views, "", [])
    names = ("quality", "sharpness", "real")
    score = ClipScore(suite, device).score
    return {
        "clip": np.stack([score(views, prompt, [])["clip_score"] for prompt in layouts.PROMPTS]),
        "shares": np.stack([iqa[name] for name in names]),
        "margins": np.stack([iqa[f"{name}_margin"] for name in names]),
    }


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("kind", ["clip", "shares", "margins"])
def test_equals_the_recorded_scores(
    kind: str, device: str, suite: Suite, views: Views, layouts: ModuleType, recorded: Callable[..., Any]
) -> None:
    golden = recorded("clip")
    assert (golden["seed"], golden["image_seed"]) == (SEED, IMAGE_SEED)
    tolerance = 1e-4 if device == "cpu" else 1e-3  # TensorFloat-32 would be off by more
    np.testing.assert_allclose(_ours(suite, views, layouts, device)[kind], golden[kind], atol=tolerance, rtol=0)
    assert np.ptp(golden[kind], axis=1).min() > 0.01  # the images matter
    if kind == "shares":
        assert np.all((np.array(golden[kind]) > 1) & (np.array(golden[kind]) < 99))


def test_equals_the_packages(
    tmp_path: Path, suite: Suite, views: Views, layouts: ModuleType, reference: Callable[..., Any],
    recorded: Callable[..., Any],
) -> None:  # fmt: skip
    run = reference("clip")
    for name, resnet in (("vit", False), ("resnet", True)):
        torch.save(layouts.clip_weights(SEED, resnet=resnet), tmp_path / f"{name}.pt")
    np.save(tmp_path / "images.npy", views.rgb)
    scores = run(tmp_path)
    for kind, found in _ours(suite, views, layouts).items():
        np.testing.assert_allclose(found, scores[kind], atol=1e-4, rtol=0)
    golden = recorded("clip", {"seed": SEED, "image_seed": IMAGE_SEED, **scores})
    for kind in ("clip", "shares", "margins"):
        np.testing.assert_allclose(golden[kind], scores[kind], atol=1e-4, rtol=0)


def _with(suite: Suite, role: str, model: ScorerModel) -> Suite:
    return suite.model_copy(update={"models": {**suite.models, role: model}})


def test_position_embedding_matters(suite: Suite, views: Views) -> None:
    """The golden scores tell the published variant from the one that keeps it."""
    square = dataclasses.replace(views, rgb=views.rgb[:, :64, :64], opacity=views.opacity[:, :64, :64])
    native = ClipIqa(suite).score(square, "", [])["quality_margin"]
    kept = ClipIqa(_with(suite, "iqa", ScorerModel(folder=suite.folder("iqa")))).score(square, "", [])["quality_margin"]
    assert np.abs(native - kept).min() > 0.01


def test_activation_matters(suite: Suite, views: Views, tmp_path: Path) -> None:
    """The golden scores tell OpenAI's QuickGELU from the GELU that open_clip's plain names have."""
    folder = shutil.copytree(suite.folder("clip"), tmp_path / "gelu")
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["quick_gelu"] = False
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    write_card(folder, title="tiny")
    other = _with(suite, "clip", ScorerModel(folder=folder))
    scores = [ClipScore(each).score(views, "a red striped car", [])["clip_score"] for each in (suite, other)]
    assert np.abs(scores[0] - scores[1]).min() > 0.01

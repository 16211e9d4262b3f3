"""Our reward model against the package image-reward, on the same random weights in ImageReward.pt's layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from methods.weights import write_card
from metrics.models.convert_image_reward import convert_image_reward
from metrics.models.reward import RewardModel

SEED, IMAGE_SEED = 5, 11
CUDA = pytest.param(
    "cuda",
    marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
)


def _published(folder: Path, layouts: ModuleType, sizes: Any) -> Path:
    """A folder with the files that the model was published in, and images."""
    torch.save(layouts.reward_weights(sizes, SEED), folder / "ImageReward.pt")
    (folder / "med_config.json").write_text(json.dumps(sizes.med_config()))
    unused = (f"[unused{index}]" for index in range(sizes.vocabulary - 8 - len(layouts.WORDS)))
    (folder / "vocab.txt").write_text("\n".join((*layouts.WORDS, *unused)) + "\n")  # at most 8 fewer than the model has
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')
    (folder / "prompts.json").write_text(json.dumps(layouts.PROMPTS))
    np.save(folder / "images.npy", layouts.images(3, 300, 256, IMAGE_SEED))
    return folder


def _ours(folder: Path, layouts: ModuleType, device: str = "cpu") -> np.ndarray:
    published = (folder / name for name in ("ImageReward.pt", "med_config.json", "vocab.txt"))
    convert_image_reward(*published, folder / "ours")
    write_card(folder / "ours", title="ImageReward of random weights")
    model = RewardModel(folder / "ours", device)
    return np.stack([model.rewards(np.load(folder / "images.npy"), prompt) for prompt in layouts.PROMPTS])


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_equals_the_recorded_scores(
    device: str, tmp_path: Path, layouts: ModuleType, recorded: Callable[..., Any]
) -> None:
    golden = recorded("image_reward")
    assert (golden["seed"], golden["image_seed"]) == (SEED, IMAGE_SEED)
    found = _ours(_published(tmp_path, layouts, layouts.RewardSizes()), layouts, device)
    np.testing.assert_allclose(found, golden["scores"], atol=1e-4 if device == "cpu" else 1e-3, rtol=0)
    assert np.ptp(golden["scores"], axis=0).min() > 0.01
    assert np.ptp(golden["scores"], axis=1).min() > 0.01


def test_equals_the_package(
    tmp_path: Path, layouts: ModuleType, reference: Callable[..., Any], recorded: Callable[..., Any]
) -> None:
    run, sizes = reference("image_reward"), layouts.RewardSizes()
    folder = _published(tmp_path, layouts, sizes)
    scores = run(folder, sizes.vision_width, sizes.vision_layers, sizes.patch)
    np.testing.assert_allclose(_ours(folder, layouts), scores, atol=1e-4, rtol=0)
    golden = recorded("image_reward", {"seed": SEED, "image_seed": IMAGE_SEED, "scores": scores})
    np.testing.assert_allclose(golden["scores"], scores, atol=1e-4, rtol=0)


def test_equals_the_package_at_the_published_size(
    tmp_path: Path, layouts: ModuleType, reference: Callable[..., Any]
) -> None:
    """All 446.7 million parameters in ImageReward-v1.0's own shapes: takes a minute and 6 GB."""
    run, sizes = reference("image_reward"), layouts.PUBLISHED
    folder = _published(tmp_path, layouts, sizes)
    scores = run(folder, sizes.vision_width, sizes.vision_layers, sizes.patch)
    parameters = sum(np.prod(shape) for shape in layouts.reward_shapes(sizes).values())
    assert parameters == pytest.approx(446.7e6, rel=1e-3)
    np.testing.assert_allclose(_ours(folder, layouts), scores, atol=1e-4, rtol=0)

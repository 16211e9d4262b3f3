"""The suite of the published scorers: missing weights, folders, and CLIP-IQA at the images' own size."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.model import CLIP
from safetensors.torch import load_file, save_file
from torch.nn import functional

from methods.weights import WeightsError, WeightsMissingError, write_card
from metrics import metrics
from metrics.clip_iqa import ClipIqa
from metrics.models.clip import ClipModel
from metrics.suites import ScorerModel, Suite, find_suite
from metrics.views import Views

SIZE = {"embed_dim": 12, "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1}}
RESNET = {**SIZE, "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 4, "patch_size": None}}


@pytest.fixture(scope="module")
def resnet_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP with a ResNet, as OpenAI's RN50 but narrow, in open_clip's format."""
    folder = tmp_path_factory.mktemp("tiny_resnet")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": RESNET, "preprocess_cfg": {}}))
    weights, generator = CLIP(**RESNET).state_dict(), torch.Generator().manual_seed(3)
    for name, value in weights.items():
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith("running_var"):
            weights[name] = 0.5 + noise.abs()
        elif value.ndim == 1:
            weights[name] = 0.2 * noise + name.endswith("weight")
        elif value.ndim > 1:  # keeps the size of what comes in
            weights[name] = noise / value[0].numel() ** 0.5
    save_file(weights, folder / "open_clip_model.safetensors")
    write_card(folder, title="tiny")
    return folder


@pytest.fixture
def native(suite: Suite, resnet_folder: Path) -> Suite:
    iqa = ScorerModel(folder=resnet_folder, preprocessing="native", title="a narrow RN50")
    return suite.model_copy(update={"models": {**suite.models, "iqa": iqa}})


@pytest.mark.parametrize(("metric", "role"), [("clip_score", "clip"), ("r_precision", "clip"), ("clip_iqa", "iqa"),
                                              ("image_reward", "reward")])  # fmt: skip
def test_missing_weights_are_one_line_that_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metric: str, role: str
) -> None:
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path))
    with pytest.raises(
        WeightsMissingError, match=rf"sd21.{role}: .*'{role}' are missing; run `sdibench fetch sd21`"
    ) as error:
        metrics[metric]("sd21")
    assert "\n" not in str(error.value)


def test_home_is_what_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(tmp_path))
    folder = tmp_path / "sd21" / "clip"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text("{}")
    assert find_suite("sd21").folder("clip") == folder


def _features_by_hand(folder: Path, rgb: np.ndarray) -> np.ndarray:
    """Features without position embedding, the attention pool as matrix products in numpy."""
    weights = load_file(folder / "open_clip_model.safetensors")
    network = CLIP(**RESNET)
    network.load_state_dict(weights)
    visual = network.eval().visual
    mean, std = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    pixels = torch.from_numpy((rgb / 255 - mean) / std).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        maps = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(pixels))))).numpy()
    tokens = maps.reshape(*maps.shape[:2], -1).transpose(0, 2, 1)
    tokens = np.concatenate([tokens.mean(axis=1, keepdims=True), tokens], axis=1)

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return x @ weights[f"visual.attnpool.{name}.weight"].numpy().T + weights[f"visual.attnpool.{name}.bias"].numpy()

    count, length, width = tokens.shape
    heads = 4 * 32 // 64
    query, key, value = (
        linear(f"{part}_proj", tokens).reshape(count, length, heads, width // heads).transpose(0, 2, 1, 3)
        for part in "qkv"
    )
    attention = functional.softmax(torch.from_numpy(query[:, :, :1] @ key.swapaxes(2, 3)) / (width // heads) ** 0.5, -1)
    pooled = (attention.numpy() @ value).transpose(0, 2, 1, 3).reshape(count, width)
    features = linear("c_proj", pooled)
    return features / np.linalg.norm(features, axis=1, keepdims=True)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (512, 512), (97, 130), (32, 32)])
def test_native_features_equal_numpy(
    resnet_folder: Path, height: int, width: int, make_views: Callable[..., Views]
) -> None:
    views = make_views(3, height, width)
    found = ClipModel(resnet_folder, preprocessing="native").image_features(views.rgb)
    np.testing.assert_allclose(found.numpy(), _features_by_hand(resnet_folder, views.rgb), atol=2e-5)


def test_size_is_part_of_the_native_metric_and_the_card_says_so(
    native: Suite, make_views: Callable[..., Views]
) -> None:
    metric, views = ClipIqa(native), make_views(2, 64, 64)
    twice = dataclasses.replace(views, rgb=views.rgb.repeat(2, axis=1).repeat(2, axis=2),
                                opacity=views.opacity.repeat(2, axis=1).repeat(2, axis=2))  # fmt: skip
    once, large = (metric.score(some, "", [])["quality_margin"] for some in (views, twice))
    assert np.abs(once - large).min() > 1e-3
    assert "own size" in metric.card.preprocessing
    assert metric.card.checkpoint == "tiny: a narrow RN50 (random weights)"


def test_native_images_are_scored_in_batches_of_bounded_size(
    resnet_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    whole = ClipModel(resnet_folder, preprocessing="native").image_features(images)
    model = ClipModel(resnet_folder, preprocessing="native")
    sizes = []
    encode = model._network.encode_image
    monkeypatch.setattr(model._network, "encode_image", lambda x, **kwargs: sizes.append(len(x)) or encode(x, **kwargs))
    monkeypatch.setattr("metrics.models.batches._CPU_PIXELS", 2 * 64**2)
    torch.testing.assert_close(model.image_features(images), whole)
    assert sizes == [2, 2, 1]


def test_native_size_needs_a_resnet_and_an_image(clip_folder: Path, resnet_folder: Path) -> None:
    with pytest.raises(WeightsError, match="only a CLIP with a ResNet takes images"):
        ClipModel(clip_folder, preprocessing="native")
    model = ClipModel(resnet_folder, preprocessing="native")
    with pytest.raises(ValueError, match="31 × 64 pixels, must have 32 or more a side"):
        model.image_features(np.zeros((1, 31, 64, 3), dtype=np.uint8))
    with pytest.raises(TypeError, match="float32, must be uint8"):
        model.image_features(np.zeros((1, 64, 64, 3), dtype=np.float32))


def test_open_clips_own_name_with_a_local_file_of_weights(
    clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_views: Callable[..., Views]
) -> None:
    """The name's configuration comes from open_clip, the weights from the folder, and the hub is not asked."""
    import open_clip.factory

    config = json.loads((clip_folder / "open_clip_config.json").read_text())["model_cfg"]
    config["text_cfg"].pop("hf_tokenizer_name")
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny-known", config)
    save_file(load_file(clip_folder / "open_clip_model.safetensors"), tmp_path / "weights.safetensors")
    write_card(tmp_path, title="tiny", open_clip_name="tiny-known")
    rgb = make_views(2).rgb
    found = ClipModel(tmp_path)
    assert found.image_size == 32
    shown = found._network.visual(found._preprocess(_pil(rgb[0]))[None])
    torch.testing.assert_close(found.image_features(rgb)[0], functional.normalize(shown)[0])
    for name, value in load_file(clip_folder / "open_clip_model.safetensors").items():
        assert torch.equal(found._network.state_dict()[name], value)


def test_folder_without_any_clip_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"")
    write_card(tmp_path, title="no name")
    with pytest.raises(WeightsError, match="is not a CLIP: it has neither") as error:
        ClipModel(tmp_path)
    assert "\n" not in str(error.value)


def _pil(image: np.ndarray) -> object:
    from PIL import Image

    return Image.fromarray(image)

"""HPSv2.1, PickScore and the aesthetic head, by hand on tiny random weights, and as stand-ins on the toybox."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional

from methods.weights import WeightsError
from metrics import metrics
from metrics.models.clip import preprocess
from metrics.models.linear_head import HEAD_WEIGHTS
from metrics.suites import Suite, find_suite
from metrics.views import Views

PROMPT = "a red striped car"
NAMES = ("hps", "pick_score", "aesthetic")
MEAN, STD = np.array([0.48, 0.46, 0.41]), np.array([0.27, 0.26, 0.28])


def _resized_by_hand(image: np.ndarray, side: int) -> torch.Tensor:
    """HPSv2's input: the tensor's longer side resized, black around it, normalised."""
    scale = side / max(image.shape[:2])
    height, width = (round(scale * length) for length in image.shape[:2])
    pixels = torch.from_numpy(image / 255).float().permute(2, 0, 1)[None]
    if scale != 1:
        pixels = functional.interpolate(pixels, (height, width), mode="bicubic", antialias=True, align_corners=False)
    canvas = torch.zeros(3, side, side)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[:, top : top + height, left : left + width] = pixels[0]
    return (canvas - torch.tensor(MEAN).float()[:, None, None]) / torch.tensor(STD).float()[:, None, None]


def _cosines(suite: Suite, pixels: torch.Tensor) -> np.ndarray:
    source = f"local-dir:{suite.folder('hps')}"
    model, _ = open_clip.create_model_from_pretrained(source)
    with torch.no_grad():
        images, text = model.eval().encode_image(pixels), model.encode_text(open_clip.get_tokenizer(source)([PROMPT]))
    return functional.cosine_similarity(images, text).double().numpy()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 64), (40, 72), (71, 33), (20, 20)])
def test_hps_resizes_the_tensor(suite: Suite, make_views: Callable[..., Views], height: int, width: int) -> None:
    views = make_views(3, height, width)
    expected = _cosines(suite, torch.stack([_resized_by_hand(image, 32) for image in views.rgb]))
    metric = metrics["hps"](suite)
    np.testing.assert_allclose(metric.score(views, PROMPT, [])["hps"], expected, atol=1e-6)
    if (height, width) == (64, 64):
        pillow = metrics["clip_score"](suite).score(views, PROMPT, [])["clip_score"] / 100
        assert np.abs(pillow - expected).min() > 1e-5
    assert "of the tensor to 32 pixels" in metric.card.preprocessing
    assert metric.columns[0].scale == 100


def test_pick_score_is_the_raw_logit(suite: Suite, make_views: Callable[..., Views]) -> None:
    views = make_views(3, 64, 64)
    source = f"local-dir:{suite.folder('pick')}"
    model, transform = open_clip.create_model_from_pretrained(source)
    expected = float(model.logit_scale.detach().exp()) * _cosines(suite, preprocess(views.rgb, transform))
    metric = metrics["pick_score"](suite)
    np.testing.assert_allclose(metric.score(views, PROMPT, [])["pick_score"], expected, rtol=1e-5, atol=1e-6)
    assert f"exp(logit scale) = {float(model.logit_scale.detach().exp()):.1f}" in metric.card.description


def test_the_aesthetic_head_is_matrix_products_on_unit_features(suite: Suite, make_views: Callable[..., Views]) -> None:
    views = make_views(3, 64, 64)
    model, transform = open_clip.create_model_from_pretrained(f"local-dir:{suite.folder('aesthetic_clip')}")
    with torch.no_grad():
        features = model.eval().encode_image(preprocess(views.rgb, transform)).double().numpy()
    found = features / np.linalg.norm(features, axis=1, keepdims=True)
    weights = load_file(suite.folder("aesthetic") / HEAD_WEIGHTS)
    for number in (0, 2, 4, 6, 7):
        found = found @ weights[f"layers.{number}.weight"].double().numpy().T
        found = found + weights[f"layers.{number}.bias"].double().numpy()
    metric = metrics["aesthetic"](suite)
    np.testing.assert_allclose(metric.score(views, PROMPT, [])["aesthetic"], found[:, 0], rtol=1e-4, atol=1e-4)
    assert np.array_equal(metric.score(views, PROMPT, [])["aesthetic"], metric.score(views, "a mug", [])["aesthetic"])
    assert "16 – 12 – 8 – 6 – 4 – 1" in metric.card.description


def test_the_key_of_an_aesthetic_score_has_the_clip_s_weights_too(suite: Suite) -> None:
    metric = metrics["aesthetic"](suite)
    assert metrics["pick_score"](suite).card.weights_sha256 in metric.card.checkpoint


def test_a_head_for_another_clip_is_one_line(suite: Suite) -> None:
    models = {**suite.models, "aesthetic": find_suite("toybox").models["aesthetic"]}
    with pytest.raises(WeightsError, match="reads features of width 128, but its CLIP's have 16; the") as error:
        metrics["aesthetic"](suite.model_copy(update={"models": models}))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", NAMES)
def test_the_toybox_s_are_stand_ins_that_no_table_shows(name: str, make_views: Callable[..., Views]) -> None:
    metric = metrics[name]("toybox")
    assert [column.headline for column in metric.card.columns] == [False]
    assert metric.card.columns[0].title.endswith(" (stand-in)")
    assert metric.card.description.startswith("A stand-in that no preferences of people trained: its values show that")
    assert metric.card.column_names == tuple(metric.score(make_views(2, 64, 64), PROMPT, []))
    assert metrics[name].columns[0].headline  # of a real suite it is shown


@pytest.mark.parametrize("name", NAMES)
def test_the_models_of_a_real_suite_are_not_called_stand_ins(name: str, suite: Suite) -> None:
    card = metrics[name](suite).card
    assert card.columns == metrics[name].columns
    assert "stand-in" not in card.description


def test_no_shipped_study_has_them_by_default() -> None:
    from bench.study.study import load_study, study_names

    assert not [study for study in study_names() if set(load_study(study).metrics) & set(NAMES)]


def test_images_are_uint8(suite: Suite) -> None:
    for name in NAMES:
        views = Views(np.zeros((1, 32, 32, 3), np.uint8), np.zeros((1, 32, 32), np.uint8), np.zeros(1))
        object.__setattr__(views, "rgb", np.zeros((1, 32, 32, 3), np.float32))
        with pytest.raises(TypeError, match="rgb: dtype float32, must be uint8"):
            metrics[name](suite).score(views, PROMPT, [])


def test_by_hand_is_by_hand() -> None:
    """The reference of the test above resizes as torchvision does, which is another code path than Pillow's."""
    blocks = 255 * np.random.default_rng(0).integers(0, 2, (8, 8, 3), dtype=np.uint8)
    image = blocks.repeat(8, axis=0).repeat(8, axis=1)
    small = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BICUBIC)) / 255
    tensor = _resized_by_hand(image, 32).permute(1, 2, 0).numpy() * STD + MEAN
    assert np.abs(small - tensor.clip(0, 1)).max() < 0.02  # Pillow also rounds and clamps between rows and columns
    assert tensor.min() < -0.01  # neither rounded nor clamped
    assert tensor.max() > 1.01

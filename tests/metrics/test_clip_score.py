"""CLIP Score against open_clip with numpy, and against transformers' own CLIP on the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

from metrics.clip_score import ClipScore
from metrics.models.clip import load_clip
from metrics.suites import Suite
from metrics.views import Views

PROMPT = "a red striped car"


def _cosines(images: np.ndarray, text: np.ndarray) -> np.ndarray:
    return images @ text / np.linalg.norm(images, axis=1) / np.linalg.norm(text)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 64), (40, 72), (20, 20)])
def test_equals_open_clip_used_by_hand(suite: Suite, make_views: Callable[..., Views], height: int, width: int) -> None:
    views = make_views(4, height, width)
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{suite.folder('clip')}")
    tokens = open_clip.get_tokenizer(f"local-dir:{suite.folder('clip')}")([PROMPT])
    with torch.no_grad():
        images = model.eval().encode_image(torch.stack([preprocess(Image.fromarray(rgb)) for rgb in views.rgb]))
        text = model.encode_text(tokens)
    expected = 100 * _cosines(images.numpy(), text[0].numpy())
    np.testing.assert_allclose(ClipScore(suite).score(views, PROMPT, [])["clip_score"], expected, atol=1e-4)


def _transformers_names(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """open_clip's weights in the names and shapes of transformers' CLIPModel."""
    renamed = {
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
        "visual.ln_pre.": "vision_model.pre_layrnorm.",
        "visual.ln_post.": "vision_model.post_layernorm.",
        "visual.transformer.resblocks.": "vision_model.encoder.layers.",
        "transformer.resblocks.": "text_model.encoder.layers.",
        "token_embedding.": "text_model.embeddings.token_embedding.",
        "positional_embedding": "text_model.embeddings.position_embedding.weight",
        "ln_final.": "text_model.final_layer_norm.",
    }
    parts = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "c_fc": "fc1", "c_proj": "fc2", ".attn.": ".self_attn."}
    found = {
        "visual_projection.weight": weights["visual.proj"].T,
        "text_projection.weight": weights["text_projection"].T,
        "logit_scale": weights["logit_scale"],
    }
    for name, value in weights.items():
        old = next((start for start in renamed if name.startswith(start)), None)
        if old is None:
            continue
        new = name.replace(old, renamed[old], 1)
        for before, after in parts.items():
            new = new.replace(before, after)
        if "in_proj_" in new:
            for letter, third in zip("qkv", value.chunk(3), strict=True):
                found[new.replace("in_proj_", f"{letter}_proj.")] = third
        else:
            found[new] = value
    return found


def test_equals_transformers_clip_on_the_same_weights(suite: Suite, make_views: Callable[..., Views]) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(suite.folder("clip"))
    end = tokenizer.eos_token_id
    shared = {"hidden_size": 32, "intermediate_size": 128, "num_attention_heads": 2, "hidden_act": "gelu"}
    config = CLIPConfig(
        text_config={**shared, "vocab_size": len(tokenizer), "max_position_embeddings": 12, "num_hidden_layers": 1,
                     "eos_token_id": end, "bos_token_id": end - 1, "pad_token_id": end},
        vision_config={**shared, "image_size": 32, "patch_size": 8, "num_hidden_layers": 2},
        projection_dim=16,
    )  # fmt: skip
    model = CLIPModel(config).eval()
    missing = model.load_state_dict(
        _transformers_names(load_file(suite.folder("clip") / "open_clip_model.safetensors")), strict=False
    )
    assert not missing.unexpected_keys
    assert all("position_ids" in key for key in missing.missing_keys)
    views = make_views(3)
    processor = CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size=32, image_mean=[0.48, 0.46, 0.41], image_std=[0.27, 0.26, 0.28]
    )
    tokens = tokenizer([PROMPT], padding="max_length", max_length=12, return_tensors="pt")
    pixels = processor(list(views.rgb), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        cosines = model(input_ids=tokens["input_ids"], pixel_values=pixels).logits_per_text[0] / model.logit_scale.exp()
    found = ClipScore(suite).score(views, PROMPT, [])["clip_score"]
    np.testing.assert_allclose(found, 100 * cosines.numpy(), atol=1e-4)


def test_each_view_is_scored_for_itself(suite: Suite, make_views: Callable[..., Views]) -> None:
    metric, views = ClipScore(suite), make_views(5)
    together = metric.score(views, PROMPT, [])["clip_score"]
    order = np.array([3, 1, 4, 0, 2])
    for picked in (order, order[:1], order[2:]):
        some = Views(views.rgb[picked], views.opacity[picked], views.azimuth_deg[picked])
        np.testing.assert_allclose(metric.score(some, PROMPT, [])["clip_score"], together[picked], atol=1e-4)
    assert np.ptp(together) > 0.1


def test_the_same_images_score_the_same_bits(suite: Suite, make_views: Callable[..., Views]) -> None:
    first, second = (ClipScore(suite).score(make_views(4), PROMPT, [])["clip_score"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.float64


def test_model_is_loaded_once_for_a_folder(suite: Suite, clip_folder: Path) -> None:
    ClipScore(suite)
    assert load_clip(clip_folder) is load_clip(suite.folder("iqa"))

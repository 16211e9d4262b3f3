"""The reward against transformers' BLIP called by hand, with the head as one matrix product in numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor
from transformers import BlipTextConfig, BlipTextModel, BlipVisionConfig, BlipVisionModel

from metrics.image_reward import ImageReward
from metrics.models.reward import RewardTokenizer, load_reward
from metrics.suites import Suite
from metrics.views import Views

PROMPT = "A red striped car"


def _by_hand(suite: Suite, rgb: np.ndarray) -> np.ndarray:
    weights = load_file(suite.folder("reward") / "model.safetensors")
    sizes = {"hidden_size": 24, "intermediate_size": 48, "num_attention_heads": 2}
    vision = BlipVisionModel(BlipVisionConfig(**sizes, patch_size=8, num_hidden_layers=2, image_size=32)).eval()
    text_sizes = {**sizes, "vocab_size": 13, "encoder_hidden_size": 24, "num_hidden_layers": 1}
    text = BlipTextModel(BlipTextConfig(**text_sizes, max_position_embeddings=12), add_pooling_layer=False).eval()
    for module, name in ((vision, "vision."), (text, "text.")):
        module.load_state_dict({k.removeprefix(name): v for k, v in weights.items() if k.startswith(name)})
    steps = [Resize(32, InterpolationMode.BICUBIC), CenterCrop(32), ToTensor(),
             Normalize((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))]  # fmt: skip
    pixels = torch.stack([Compose(steps)(Image.fromarray(image)) for image in rgb])
    ids = torch.tensor([[2, 5, 6, 9, 10, 3]])  # [CLS] a red striped car [SEP]
    with torch.no_grad():
        states = vision(pixels).last_hidden_state
        first = text(
            input_ids=ids.expand(len(rgb), -1),
            attention_mask=torch.ones(len(rgb), 6, dtype=torch.long),
            encoder_hidden_states=states,
            encoder_attention_mask=torch.ones(states.shape[:2], dtype=torch.long),
        ).last_hidden_state[:, 0]
    reward = first.double().numpy()
    for layer in (0, 2, 4, 6, 8):
        reward = reward @ weights[f"head.{layer}.weight"].double().numpy().T
        reward = reward + weights[f"head.{layer}.bias"].double().numpy()
    return (reward[:, 0] - 0.3) / 2.0


def test_equals_blip_by_hand(suite: Suite, make_views: Callable[..., Views]) -> None:
    views = make_views(4, 48, 40)
    found = ImageReward(suite).score(views, PROMPT, [])["image_reward"]
    expected = _by_hand(suite, views.rgb)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(expected) > 1e-3


def test_each_view_is_scored_for_itself_even_alone(suite: Suite, make_views: Callable[..., Views]) -> None:
    metric, views = ImageReward(suite), make_views(5)
    together = metric.score(views, PROMPT, [])["image_reward"]
    for picked in ([4, 2, 0, 1, 3], [3], [1, 2]):
        some = Views(views.rgb[picked], views.opacity[picked], views.azimuth_deg[picked])
        found = metric.score(some, PROMPT, [])["image_reward"]
        assert found.shape == (len(picked),)
        np.testing.assert_allclose(found, together[picked], rtol=1e-4, atol=1e-5)


def test_prompt_changes_the_reward_and_its_padding_does_not(suite: Suite, make_views: Callable[..., Views]) -> None:
    views = make_views(2)
    assert np.abs(
        ImageReward(suite).score(views, PROMPT, [])["image_reward"]
        - ImageReward(suite).score(views, "a blue duck", [])["image_reward"]
    ).min() > 1e-4  # fmt: skip
    tokenize = RewardTokenizer(suite.folder("reward"), load_reward(suite.folder("reward")).config.max_length)
    ids, mask = tokenize([PROMPT, "a red car " * 10])
    assert ids.shape == (2, 12)
    assert mask[0].sum() == 6
    assert ids[1, -1] == 3  # cut, with its end kept
    assert tokenize([PROMPT], shortest=True)[0].tolist() == [[2, 5, 6, 9, 10, 3]]

"""Tiny scorers with random weights in the real folder formats, and random views."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import methods.torchvision_shim  # noqa: F401  (before open_clip)

# isort: split
from open_clip.model import CLIP

from methods.weights import write_card
from metrics.models.linear_head import write_head
from metrics.models.reward import CONFIG_FILE, WEIGHTS_FILE, RewardConfig, RewardNetwork
from metrics.suites import ScorerModel, Suite
from metrics.views import Views
from prompts.toybox import write_clip_tokenizer

SIDE = 32
PROMPTS = ("a red striped car", "a blue duck", "a green mug")


def _scramble(network: nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Draw random weights that are large enough for every layer to matter, and copy them for a file."""
    generator = torch.Generator().manual_seed(seed)
    for value in network.parameters():
        if value.ndim:
            value.data = 0.2 * torch.randn(value.shape, generator=generator) + (value.ndim == 1)
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP of 32 pixels in open_clip's format."""
    folder = tmp_path_factory.mktemp("tiny_clip")
    write_clip_tokenizer(folder)
    vocabulary = len(json.loads((folder / "vocab.json").read_text()))
    model = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": SIDE, "patch_size": 8, "width": 32, "layers": 2, "head_width": 16},
        "text_cfg": {"context_length": 12, "vocab_size": vocabulary, "hf_tokenizer_name": "tiny", "width": 32,
                     "heads": 2, "layers": 1},
    }  # fmt: skip
    preprocess = {"size": [SIDE, SIDE], "mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28],
                  "interpolation": "bicubic", "resize_mode": "shortest"}  # fmt: skip
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": model, "preprocess_cfg": preprocess}))
    save_file(_scramble(CLIP(**model), 1), folder / "open_clip_model.safetensors")
    write_card(folder, title="tiny")
    return folder


@pytest.fixture(scope="session")
def reward_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model of 32 pixels."""
    folder = tmp_path_factory.mktemp("tiny_reward")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "blue", "green", "striped", "car", "duck", "mug"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "do_lower_case": true}')
    sizes = {"hidden_size": 24, "intermediate_size": 48, "num_attention_heads": 2}
    config = RewardConfig(
        vision={**sizes, "patch_size": 8, "num_hidden_layers": 2},
        text={**sizes, "vocab_size": len(words), "encoder_hidden_size": 24, "num_hidden_layers": 1,
              "max_position_embeddings": 12, "bos_token_id": 2, "sep_token_id": 3},
        head_widths=(20, 10, 6, 4),
        mean=0.3,
        std=2.0,
        image_size=SIDE,
        max_length=12,
    )  # fmt: skip
    (folder / CONFIG_FILE).write_text(config.model_dump_json())
    save_file(_scramble(RewardNetwork(config), 2), folder / WEIGHTS_FILE)
    write_card(folder, title="tiny")
    return folder


@pytest.fixture(scope="session")
def aesthetic_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear head for the CLIP's features of width 16, with LAION's names."""
    folder, generator = tmp_path_factory.mktemp("tiny_head"), torch.Generator().manual_seed(3)
    widths = zip((0, 2, 4, 6, 7), (16, 12, 8, 6, 4), (12, 8, 6, 4, 1), strict=True)
    shapes = {number: (after, before) for number, before, after in widths}
    weights = {f"layers.{number}.weight": torch.randn(shape, generator=generator) for number, shape in shapes.items()}
    biases = {f"layers.{number}.bias": torch.randn(shape[0], generator=generator) for number, shape in shapes.items()}
    write_head(weights | biases, folder, folder)
    write_card(folder, title="tiny")
    return folder


@pytest.fixture(scope="session")
def suite(clip_folder: Path, reward_folder: Path, aesthetic_folder: Path) -> Suite:
    clips = {role: ScorerModel(folder=clip_folder) for role in ("clip", "iqa", "pick", "aesthetic_clip")}
    models = clips | {
        "hps": ScorerModel(folder=clip_folder, preprocessing="tensor"),
        "reward": ScorerModel(folder=reward_folder),
        "aesthetic": ScorerModel(folder=aesthetic_folder),
    }
    return Suite(name="tiny", note="random weights", models=models)


@pytest.fixture
def make_views() -> Callable[..., Views]:
    """``make_views(count, height, width)``: random images on a ring."""

    def make(count: int = 5, height: int = SIDE, width: int = SIDE) -> Views:
        rng = np.random.default_rng(7)
        return Views(
            rgb=rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8),
            opacity=rng.integers(0, 256, (count, height, width), dtype=np.uint8),
            azimuth_deg=np.arange(count) * 360 / count,
        )

    return make

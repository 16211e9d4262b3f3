"""Loading a reward model, and ImageReward's published constants."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from torch import nn

from methods.weights import WeightsError
from metrics.models.reward import RewardConfig, RewardModel, RewardNetwork


def test_changed_file_is_refused(reward_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(reward_folder, tmp_path / "changed")
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nan\n")
    with pytest.raises(WeightsError, match=r"vocab\.txt"):
        RewardModel(folder)


def test_floats_are_refused(reward_folder: Path) -> None:
    with pytest.raises(TypeError, match="rgb: dtype float64, must be uint8"):
        RewardModel(reward_folder).rewards(np.zeros((1, 32, 32, 3)), "a duck")


def test_tokens_beyond_the_limit_are_counted(reward_folder: Path) -> None:
    model = RewardModel(reward_folder)
    read = model.config.max_length - 2  # without the first and the last token
    assert [model.tokens_cut(" ".join(["a"] * count)) for count in (1, read, read + 1, read + 9)] == [0, 0, 1, 9]


def test_head_is_image_rewards() -> None:
    """THUDM/ImageReward, ImageReward.py: five linear layers, dropout after the first three, nothing else."""
    small = {"intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = RewardConfig(
        vision={**small, "hidden_size": 8, "patch_size": 112},
        text={**small, "hidden_size": 768, "encoder_hidden_size": 8, "vocab_size": 8, "bos_token_id": 2},
    )
    head = RewardNetwork(config).head
    linear = [layer for layer in head if isinstance(layer, nn.Linear)]
    widths = [linear[0].in_features, *(layer.out_features for layer in linear)]
    assert widths == [768, 1024, 128, 64, 16, 1]
    assert [layer.p for layer in head if isinstance(layer, nn.Dropout)] == [0.2, 0.2, 0.1, 0.0]
    assert (config.mean, config.std, config.max_length) == (0.16717362830052426, 1.0333394966054072, 35)


def test_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="max_lenght"):
        RewardConfig(vision={}, text={}, max_lenght=35)  # type: ignore[call-arg]

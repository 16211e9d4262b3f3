"""Converting ImageReward.pt: what it refuses; that the scores are right is in tests/parity."""

from __future__ import annotations

import pytest
import torch

from methods.weights import WeightsError
from metrics.models.convert_image_reward import convert_image_reward, rename_weights, reward_config

FILES = ("ImageReward.pt", "med_config.json", "vocab.txt")


def test_names_that_are_not_image_rewards_are_refused() -> None:
    with pytest.raises(WeightsError, match=r"'visual.proj' is not a weight of ImageReward"):
        rename_weights({"visual.proj": torch.zeros(2, 2)})
    with pytest.raises(WeightsError, match="is missing, so this is not a checkpoint"):
        reward_config(rename_weights({"mlp.layers.7.bias": torch.zeros(1)}), {})


def test_last_layer_keeps_its_place_and_what_the_score_does_not_use_is_left_out() -> None:
    names = ["mlp.layers.6.bias", "mlp.layers.7.bias", "blip.vision_proj.weight", "blip.text_proj.bias",
             "blip.text_encoder.embeddings.position_ids", "blip.visual_encoder.blocks.11.norm2.weight"]  # fmt: skip
    found = rename_weights({name: torch.zeros(1) for name in names})
    assert list(found) == ["head.6.bias", "head.8.bias", "vision.encoder.layers.11.layer_norm2.weight"]


def test_missing_file_is_one_line(tmp_path) -> None:
    with pytest.raises(WeightsError, match=r"ImageReward\.pt: missing; download or copy it there") as error:
        convert_image_reward(*(tmp_path / name for name in FILES), tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_pickled_code_is_not_run(tmp_path, capsys) -> None:
    """Loading is ``weights_only``: a checkpoint that wants to call something is refused."""

    class Call:
        def __reduce__(self):
            return (print, ("called",))

    torch.save({"mlp.layers.7.bias": Call()}, tmp_path / "ImageReward.pt")
    for name in FILES[1:]:
        (tmp_path / name).write_text("{}")
    with pytest.raises(WeightsError, match="is not a file of weights only") as error:
        convert_image_reward(*(tmp_path / name for name in FILES), tmp_path / "out")
    assert "\n" not in str(error.value)
    assert "called" not in capsys.readouterr().out

"""Write the published ImageReward-v1.0, a pickle, as a folder of this suite."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from methods.weights import WeightsError, write_tensors
from metrics.models.checkpoint import read_checkpoint
from metrics.models.reward import CONFIG_FILE, WEIGHTS_FILE, RewardConfig, RewardNetwork

_HEAD_WIDTH = 64  # an attention head of BLIP's image encoder, in "base" and in "large"

_ADDED_WORDS = 8  # BLIP itself adds two, [DEC] and [ENC]

#: Names in ImageReward.pt, as patterns, and the names in transformers' BLIP.
_RENAMED = (
    (r"blip\.visual_encoder\.cls_token", "vision.embeddings.class_embedding"),
    (r"blip\.visual_encoder\.pos_embed", "vision.embeddings.position_embedding"),
    (r"blip\.visual_encoder\.patch_embed\.proj\.", "vision.embeddings.patch_embedding."),
    (r"blip\.visual_encoder\.blocks\.(\d+)\.norm(\d)\.", r"vision.encoder.layers.\1.layer_norm\2."),
    (r"blip\.visual_encoder\.blocks\.(\d+)\.attn\.qkv\.", r"vision.encoder.layers.\1.self_attn.qkv."),
    (r"blip\.visual_encoder\.blocks\.(\d+)\.attn\.proj\.", r"vision.encoder.layers.\1.self_attn.projection."),
    (r"blip\.visual_encoder\.blocks\.(\d+)\.mlp\.", r"vision.encoder.layers.\1.mlp."),
    (r"blip\.visual_encoder\.norm\.", "vision.post_layernorm."),
    (r"blip\.text_encoder\.", "text."),
    (r"mlp\.layers\.7\.", "head.8."),  # ours also has a dropout of 0 after the fourth layer
    (r"mlp\.layers\.", "head."),
)

#: Weights that are not part of the score: BLIP's contrastive projections, and a counter.
_UNUSED = re.compile(r"blip\.(vision_proj|text_proj)\.|blip\.text_encoder\.embeddings\.position_ids$")


def rename_weights(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename ImageReward's weights to those of :class:`metrics.models.reward.RewardNetwork`.

    Raises:
        WeightsError: If a name is not one of ImageReward's.
    """
    found = {}
    for name, value in published.items():
        if _UNUSED.match(name):
            continue
        for pattern, replacement in _RENAMED:
            ours, count = re.subn(f"^{pattern}", replacement, name)
            if count:
                found[ours] = value.contiguous()
                break
        else:
            raise WeightsError(f"{name!r} is not a weight of ImageReward-v1.0, so this is another model's checkpoint")
    return found


def reward_config(weights: Mapping[str, Tensor], med: Mapping[str, Any]) -> RewardConfig:
    """Read sizes from the shapes of the renamed ``weights``, and the others from ``med_config.json``.

    Raises:
        WeightsError: If a weight is missing.
    """
    try:
        patches = weights["vision.embeddings.patch_embedding.weight"]
        positions = weights["vision.embeddings.position_embedding"].shape[1] - 1
        width, patch = patches.shape[0], patches.shape[-1]
        vision = {
            "hidden_size": width,
            "intermediate_size": weights["vision.encoder.layers.0.mlp.fc1.weight"].shape[0],
            "num_attention_heads": width // _HEAD_WIDTH,
            "num_hidden_layers": _layers(weights, "vision.encoder.layers."),
            "patch_size": patch,
            "layer_norm_eps": 1e-6,  # BLIP's; transformers' default is another
            "hidden_act": "gelu",
        }
        text = {
            "vocab_size": weights["text.embeddings.word_embeddings.weight"].shape[0],
            "hidden_size": med["hidden_size"],
            "intermediate_size": med["intermediate_size"],
            "num_attention_heads": med["num_attention_heads"],
            "num_hidden_layers": _layers(weights, "text.encoder.layer."),
            "max_position_embeddings": weights["text.embeddings.position_embeddings.weight"].shape[0],
            "encoder_hidden_size": width,
            "layer_norm_eps": med["layer_norm_eps"],
            "hidden_act": med["hidden_act"],
        }
        head = [weights[f"head.{2 * layer}.weight"].shape[0] for layer in range(4)]
    except KeyError as error:
        raise WeightsError(f"{error} is missing, so this is not a checkpoint of ImageReward-v1.0") from None
    return RewardConfig(
        vision=vision, text=text, head_widths=tuple(head), image_size=patch * round(positions**0.5), max_length=35
    )


def convert_image_reward(checkpoint: Path, med_config: Path, vocab: Path, out: Path) -> None:
    """Write all files of the folder ``out`` but its card.

    Args:
        checkpoint: ``ImageReward.pt``.
        med_config: ``med_config.json``.
        vocab: BERT's ``vocab.txt`` (``google-bert/bert-base-uncased``).
        out: The folder, created if it is missing: ``reward_config.json``, ``model.safetensors``, ``vocab.txt`` and
            ``tokenizer_config.json``.

    Raises:
        WeightsError: If a file is missing or the checkpoint is not ImageReward's; nothing is written then.
    """
    for path in (checkpoint, med_config, vocab):
        if not path.is_file():
            raise WeightsError(f"{path}: missing; download or copy it there")
    weights = rename_weights(read_checkpoint(checkpoint))
    config = reward_config(weights, json.loads(med_config.read_text(encoding="utf-8")))
    with torch.device("meta"):  # names and shapes only
        expected = {name: value.shape for name, value in RewardNetwork(config).state_dict().items()}
    wrong = {name for name in expected.keys() | weights.keys() if expected.get(name) != _shape(weights, name)}
    if wrong:
        raise WeightsError(f"{checkpoint}: {len(wrong)} weights are missing or of another shape: {min(wrong)}")
    _check_vocabulary(vocab, len(weights["text.embeddings.word_embeddings.weight"]))
    out.mkdir(parents=True, exist_ok=True)
    write_tensors(weights, out / WEIGHTS_FILE)
    (out / CONFIG_FILE).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if vocab.resolve() != (out / "vocab.txt").resolve():
        shutil.copyfile(vocab, out / "vocab.txt")
    settings = '{"tokenizer_class": "BertTokenizer", "do_lower_case": true}\n'
    (out / "tokenizer_config.json").write_text(settings, encoding="utf-8")


def _check_vocabulary(vocab: Path, rows: int) -> None:
    """Check that there is a word for each row of the text encoder's table, but for the few that BLIP adds."""
    words = len(vocab.read_text(encoding="utf-8").split("\n")) - 1
    if not 0 <= rows - words <= _ADDED_WORDS:
        raise WeightsError(
            f"{vocab}: has {words} words, and the checkpoint {rows}, up to {_ADDED_WORDS} more than the file; "
            "copy or download it again"
        )


def _layers(weights: Mapping[str, Tensor], start: str) -> int:
    return len({name.removeprefix(start).split(".")[0] for name in weights if name.startswith(start)})


def _shape(weights: Mapping[str, Tensor], name: str) -> torch.Size | None:
    return weights[name].shape if name in weights else None

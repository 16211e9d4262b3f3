"""Write a CLIP of transformers' format (``CLIPModel``), such as PickScore, as one of open_clip's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from methods.weights import WeightsError
from metrics.models.clip_folder import write_clip

#: Files of the format.
TRANSFORMERS_CONFIG, TRANSFORMERS_WEIGHTS = "config.json", "model.safetensors"

_EPSILON = 1e-5  # of open_clip's layer norms

#: Names in transformers, as patterns, and in open_clip; of the encoders' layers what follows their number.
_RENAMED = (
    (r"text_model\.embeddings\.token_embedding\.weight", "token_embedding.weight"),
    (r"text_model\.embeddings\.position_embedding\.weight", "positional_embedding"),
    (r"text_model\.final_layer_norm\.", "ln_final."),
    (r"vision_model\.embeddings\.class_embedding", "visual.class_embedding"),
    (r"vision_model\.embeddings\.patch_embedding\.weight", "visual.conv1.weight"),
    (r"vision_model\.embeddings\.position_embedding\.weight", "visual.positional_embedding"),
    (r"vision_model\.pre_layrnorm\.", "visual.ln_pre."),
    (r"vision_model\.post_layernorm\.", "visual.ln_post."),
    (r"text_model\.encoder\.layers\.", "transformer.resblocks."),
    (r"vision_model\.encoder\.layers\.", "visual.transformer.resblocks."),
)
_IN_LAYERS = (
    (".self_attn.out_proj.", ".attn.out_proj."),
    (".layer_norm1.", ".ln_1."),
    (".layer_norm2.", ".ln_2."),
    (".mlp.fc1.", ".mlp.c_fc."),
    (".mlp.fc2.", ".mlp.c_proj."),
)
_QUERY = re.compile(r"(.*)\.self_attn\.q_proj\.(weight|bias)")
_PROJECTIONS = {"text_projection.weight": "text_projection", "visual_projection.weight": "visual.proj"}
_UNUSED = re.compile(r".*\.position_ids|.*\.self_attn\.[kv]_proj\.(weight|bias)")  # counters; joined with the queries


def convert_transformers(source: Path, folder: Path) -> None:
    """Write the folder's files from ``config.json`` and ``model.safetensors`` in ``source``, which stay.

    Raises:
        WeightsError: If they are not a CLIPModel's, or of one that open_clip does not have; nothing is written then.
    """
    config = _config(source / TRANSFORMERS_CONFIG)
    try:
        weights = load_file(source / TRANSFORMERS_WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{source}: no {TRANSFORMERS_WEIGHTS} that can be read ({error})") from error
    write_clip(rename_clip(weights, str(source)), config, folder, source / TRANSFORMERS_WEIGHTS)


def rename_clip(published: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Rename the weights of transformers' ``CLIPModel`` to open_clip's, which has queries, keys and values in one.

    Raises:
        WeightsError: If a name is not one of CLIPModel's; the line begins with ``where``.
    """
    found: dict[str, Tensor] = {}
    for name, value in published.items():
        if (query := _QUERY.fullmatch(name)) is not None:
            layer, kind = query.groups()
            try:
                parts = [published[f"{layer}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
            except KeyError as error:
                raise WeightsError(f"{where}: {error} is missing, so this is not a checkpoint of CLIPModel") from None
            found[_rename(f"{layer}.attn.in_proj_{kind}", where)] = torch.cat(parts)
        elif name in _PROJECTIONS:
            found[_PROJECTIONS[name]] = value.T
        elif name == "logit_scale":
            found[name] = value.reshape(())
        elif not _UNUSED.fullmatch(name):
            found[_rename(name, where)] = value
    return found


def _rename(name: str, where: str) -> str:
    for pattern, replacement in _RENAMED:
        renamed, count = re.subn(f"^{pattern}", replacement, name)
        if count:
            for before, after in _IN_LAYERS:
                renamed = renamed.replace(before, after)
            return renamed
    raise WeightsError(f"{where}: {name!r} is not a weight of transformers' CLIPModel")


def _config(path: Path) -> dict[str, Any]:
    import methods.torchvision_shim  # noqa: F401  (before transformers, which imports torchvision)

    # isort: split
    from transformers import CLIPConfig  # takes seconds

    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(fields, dict) or fields.get("model_type") != "clip":
        kind = fields.get("model_type") if isinstance(fields, dict) else None
        raise WeightsError(f"{path}: model_type = {kind!r}, right is 'clip'")
    config = CLIPConfig.from_dict(fields)
    text, vision = config.text_config, config.vision_config
    activations = {text.hidden_act, vision.hidden_act}
    epsilons = {text.layer_norm_eps, vision.layer_norm_eps}
    if len(activations) > 1 or not activations <= {"gelu", "quick_gelu"} or epsilons != {_EPSILON}:
        raise WeightsError(
            f"{path}: hidden_act {sorted(activations)} and layer_norm_eps {sorted(epsilons)}: a CLIP of open_clip has "
            f"gelu or quick_gelu for both encoders, and {_EPSILON:g}"
        )
    return {
        "embed_dim": config.projection_dim,
        "quick_gelu": activations == {"quick_gelu"},
        "vision_cfg": {
            "image_size": vision.image_size,
            "layers": vision.num_hidden_layers,
            "width": vision.hidden_size,
            "head_width": vision.hidden_size // vision.num_attention_heads,
            "mlp_ratio": vision.intermediate_size / vision.hidden_size,
            "patch_size": vision.patch_size,
        },
        "text_cfg": {
            "context_length": text.max_position_embeddings,
            "vocab_size": text.vocab_size,
            "width": text.hidden_size,
            "heads": text.num_attention_heads,
            "layers": text.num_hidden_layers,
            "mlp_ratio": text.intermediate_size / text.hidden_size,
        },
    }

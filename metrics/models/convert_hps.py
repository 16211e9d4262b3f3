"""Write the published HPSv2.1, a pickle with the weights of a CLIP ViT-H/14, as a CLIP in open_clip's format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from methods.weights import WeightsError
from metrics.models.checkpoint import read_checkpoint
from metrics.models.clip_folder import write_clip

#: Widths of an attention head of ViT-H/14's image and text encoders.
_VISION_HEAD, _TEXT_HEAD = 80, 64


def convert_hps(checkpoint: Path, folder: Path) -> None:
    """Write the folder's files; the checkpoint stays where it is.

    Raises:
        WeightsError: If the checkpoint is not that of a CLIP with ViT-H/14's attention heads; nothing is written then.
    """
    weights = read_checkpoint(checkpoint, within="state_dict")
    write_clip(weights, _config(weights, checkpoint), folder, checkpoint)


def _config(weights: Mapping[str, Tensor], checkpoint: Path) -> dict[str, Any]:
    """Read the sizes from the shapes."""
    try:
        width, _, patch, _ = weights["visual.conv1.weight"].shape
        positions = weights["visual.positional_embedding"].shape[0] - 1
        vocabulary, text_width = weights["token_embedding.weight"].shape
        return {
            "embed_dim": weights["text_projection"].shape[1],
            "vision_cfg": {
                "image_size": patch * round(positions**0.5),
                "layers": _layers(weights, "visual.transformer.resblocks."),
                "width": width,
                "head_width": _VISION_HEAD,
                "patch_size": patch,
            },
            "text_cfg": {
                "context_length": weights["positional_embedding"].shape[0],
                "vocab_size": vocabulary,
                "width": text_width,
                "heads": text_width // _TEXT_HEAD,
                "layers": _layers(weights, "transformer.resblocks."),
            },
        }
    except (KeyError, ValueError) as error:
        raise WeightsError(f"{checkpoint}: {error} is missing, so this is not a checkpoint of HPSv2.1") from None


def _layers(weights: Mapping[str, Tensor], start: str) -> int:
    return len({name.removeprefix(start).split(".")[0] for name in weights if name.startswith(start)})

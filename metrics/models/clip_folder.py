"""Folders with a CLIP in open_clip's format: load one, write one, and check one against what a suite says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from methods.weights import WeightsError, read_card, write_tensors
from metrics.suites import ScorerModel

CLIP_CONFIG, CLIP_WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"

#: Mean and standard deviation of the pixels of OpenAI's CLIP, which later ones kept.
_PREPROCESSING = {
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


def open_clip_folder(folder: Path) -> tuple[Any, Any, Any]:
    """Load the network of a folder on the CPU, its preprocessing, and its tokenizer.

    Raises:
        WeightsError: If its weights cannot be read, or are not those that its configuration describes.
    """
    import methods.torchvision_shim  # noqa: F401  (before open_clip, which imports torchvision)

    # isort: split
    import open_clip  # takes seconds, and a study is planned without it

    source, weights = _source(folder)
    try:
        network, transform = open_clip.create_model_from_pretrained(source, pretrained=weights)
        return network, transform, open_clip.get_tokenizer(source)
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise WeightsError(f"{folder}: cannot be loaded as a CLIP of open_clip ({why})") from error


def clip_tokenizer(folder: Path) -> Any:
    """Load open_clip's tokenizer of a folder, without its network.

    Raises:
        WeightsError: If it cannot be read.
    """
    import methods.torchvision_shim  # noqa: F401  (before open_clip, which imports torchvision)

    # isort: split
    import open_clip

    try:
        return open_clip.get_tokenizer(_source(folder)[0])
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise WeightsError(f"{folder}: its tokenizer cannot be loaded ({why})") from error


def check_facts(folder: Path, model: ScorerModel, where: str = "") -> None:
    """Compare the configuration in ``folder`` with what the suite says of the model.

    open_clip would silently take another activation, and every score would be a little off.

    Args:
        folder: With ``open_clip_config.json``; one with weights of an architecture that open_clip knows by its name
            has none, and passes.
        model: The facts.
        where: The folder's name for the error's line.

    Raises:
        WeightsError: If they differ.
    """
    where = where or str(folder)
    if not (folder / CLIP_CONFIG).is_file():
        return
    try:
        found = json.loads((folder / CLIP_CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{where}: {CLIP_CONFIG} is not JSON ({error})") from error
    config = found.get("model_cfg") if isinstance(found, dict) else None
    vision = config.get("vision_cfg") if isinstance(config, dict) else None
    if not isinstance(config, dict) or not isinstance(vision, dict):
        raise WeightsError(f"{where}: {CLIP_CONFIG} has no model_cfg with a vision_cfg")
    activation = config.get("quick_gelu")
    if model.quick_gelu is not None and bool(activation) is not model.quick_gelu:
        right, name = ("true", "QuickGELU") if model.quick_gelu else ("false", "GELU")
        raise WeightsError(
            f"{where}: model_cfg.quick_gelu = {activation!r} in {CLIP_CONFIG}, right is {right}: the suite says that "
            f"the weights are of a network with {name}"
        )
    is_resnet = isinstance(vision.get("layers"), list)
    if model.vision is not None and is_resnet != (model.vision == "resnet"):
        found, right = ("a ResNet", "a vision transformer") if is_resnet else ("a vision transformer", "a ResNet")
        raise WeightsError(f"{where}: {CLIP_CONFIG} describes {found}, right is {right}")


def write_clip(weights: Mapping[str, Tensor], config: Mapping[str, Any], folder: Path, source: Path) -> None:
    """Write a CLIP whose weights have open_clip's names, with OpenAI's preprocessing and vocabulary.

    Args:
        weights: All of the network's.
        config: open_clip's ``model_cfg``.
        folder: The folder to write in.
        source: The published file, for the error's line.

    Raises:
        WeightsError: If they are not the weights of that network; nothing is written then.
    """
    import methods.torchvision_shim  # noqa: F401  (before open_clip, which imports torchvision)

    # isort: split
    from open_clip.model import CLIP

    with torch.device("meta"):  # names and shapes only
        expected = {name: value.shape for name, value in CLIP(**config).state_dict().items()}
    found = {name: value.shape for name, value in weights.items()}
    wrong = {name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)}
    if wrong:
        raise WeightsError(f"{source}: {len(wrong)} weights are missing or of another shape: {min(wrong)}")
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors({name: value.contiguous() for name, value in weights.items()}, folder / CLIP_WEIGHTS)
    text = json.dumps({"model_cfg": config, "preprocess_cfg": _PREPROCESSING}, indent=2)
    (folder / CLIP_CONFIG).write_text(text + "\n", encoding="utf-8")


def _source(folder: Path) -> tuple[str, str | None]:
    """Return open_clip's arguments: the folder; or an architecture that it knows, and the file of weights."""
    if (folder / CLIP_CONFIG).is_file():
        return f"local-dir:{folder}", None
    card = read_card(folder)
    files = [name for name in card["files"] if name.endswith((".safetensors", ".bin", ".pt", ".pth"))]
    if "open_clip_name" not in card or len(files) != 1:
        raise WeightsError(
            f"{folder}: is not a CLIP: it has neither {CLIP_CONFIG}, nor open_clip_name in card.json with one "
            "file of weights"
        )
    return card["open_clip_name"], str(folder / files[0])

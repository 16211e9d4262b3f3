"""The files with a component's weights: one of safetensors, or several shards and their index, of one variant."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from methods.weights import WeightsError

#: Variants in the order of preference: full precision, and those in half.
_VARIANTS = (None, "fp16", "bf16")
_PICKLES = (".bin", ".ckpt", ".pt", ".pth")
#: Types of a file's tensors; whole numbers are buffers of old files.
_TYPES = {"F16", "BF16", "F32", "F64", "I64", "I32", "BOOL"}


class ComponentFiles(NamedTuple):
    """The files of a component's weights."""

    names: list[str]
    """Names within the component's folder; with shards, the index is the first."""
    variant: str | None
    """The part of the name that tells a precision, as ``from_pretrained`` takes it; None for full precision."""


def weights_files(names: Collection[str], component: str, where: str) -> ComponentFiles:
    """Find the files of a component's weights: full precision before half, one file before shards.

    Args:
        names: Paths of all files of the pipeline, with ``/``.
        component: Name of the component's folder.
        where: Beginning of an error's message.

    Raises:
        WeightsError: If there are none in safetensors, or a shard or the shards' index is missing.
    """
    present = sorted(name.removeprefix(f"{component}/") for name in names if name.startswith(f"{component}/"))
    stems = _stems(component)
    for variant in _VARIANTS:
        for stem in stems:
            name = f"{stem}{_part(variant)}.safetensors"
            if name in present:
                return ComponentFiles([name], variant)
            if shards := _shards(present, stem, variant, f"{where}: {component}"):
                return ComponentFiles(shards, variant)
    expected = f"{component}/{stems[0]}.safetensors"
    if others := [f"{component}/{name}" for name in present if ".safetensors" in name]:
        raise WeightsError(
            f"{where}: no {expected}, but {', '.join(others)}; rename the file that is to be used to {expected}"
        )
    if any(name.endswith(_PICKLES) for name in present):
        raise WeightsError(
            f"{where}: only pickled weights in {component}, and they can run code when they are read; "
            f"take a repository with {expected}"
        )
    raise WeightsError(f"{where}: no {expected}")


def check_types(path: Path) -> None:
    """Check that the tensors of a safetensors file are of a type that networks are loaded from.

    Raises:
        WeightsError: If one is quantised; the message names its type.
    """
    if path.suffix != ".safetensors":
        return
    try:
        with safe_open(path, framework="numpy") as file:
            found = next(
                ((name, kind) for name in file.keys() if (kind := _type_of(file, name)) not in _TYPES),  # noqa: SIM118
                None,
            )
    except SafetensorError as error:
        raise WeightsError(f"{path}: cannot be read ({' '.join(str(error).split())[:200]})") from None
    if found is not None:
        raise WeightsError(
            f"{path}: {found[0]} is of type {found[1]}; weights must be in float16, bfloat16 or float32, so take the "
            "repository's files in one of these"
        )


def _type_of(file: Any, name: str) -> str:
    kind: str = file.get_slice(name).get_dtype()
    return kind


def _stems(component: str) -> tuple[str, ...]:
    """Names of a component's weights without ending and variant: transformers' and diffusers' own, and the toybox's."""
    if component.startswith("text_encoder"):
        return ("model",)
    return ("diffusion_pytorch_model", "patch_codec") if component == "vae" else ("diffusion_pytorch_model",)


def _part(variant: str | None) -> str:
    return f".{variant}" if variant else ""


def _shards(present: list[str], stem: str, variant: str | None, where: str) -> list[str]:
    """The index and all shards of a variant; none of them if there are none."""
    index = f"{stem}.safetensors.index{_part(variant)}.json"
    # the libraries of 2022 and 2023 put the variant behind the number
    for before, after in ((_part(variant), ""), ("", _part(variant))):
        pattern = re.compile(rf"{re.escape(stem + before)}-(\d{{5}})-of-(\d{{5}}){re.escape(after)}\.safetensors")
        counts = {int(found[2]) for name in present if (found := pattern.fullmatch(name))}
        if not counts:
            continue
        count = max(counts)
        wanted = [f"{stem}{before}-{shard:05d}-of-{count:05d}{after}.safetensors" for shard in range(1, count + 1)]
        if missing := [name for name in (index, *wanted) if name not in present]:
            raise WeightsError(
                f"{where}/{missing[0]} is missing, {len(missing)} of {count + 1} files of its shards; copy or download "
                "it again"
            )
        return [index, *wanted]
    if index in present:
        raise WeightsError(f"{where}/{index} is there without the shards that it lists; copy or download them too")
    return []

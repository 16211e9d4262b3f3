"""The sources of the models of each suite: the table that ``sdibench fetch`` works through."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import InputError
from methods.priors.loading import hub_of
from methods.priors.pipeline.folder import check_pipeline, needed_files, read_json, small_files
from methods.priors.pipeline.place import expand_path
from methods.priors.pipeline.stable_diffusion import (
    CARD_FIELDS,
    SD21,
    HubFolder,
    Origin,
    is_hub_name,
    origin_of,
    suite_folder,
)
from methods.registry import nearest
from methods.weights import WeightsError

#: From the paths of all files of a repository, and its name for an error's line, to the paths that are wanted.
Choose = Callable[[Collection[str], str], list[str]]

_CLIP_CONFIG, _CLIP_WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
_CLIP_TOKENIZER = ("vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_REWARD_PUBLISHED = ("ImageReward.pt", "med_config.json")
_VOCABULARY = "vocab.txt"


def _nothing(names: Collection[str], where: str) -> list[str]:
    return []


@dataclass(frozen=True)
class Source:
    """One folder of weights: its origin, and the files that are kept of it."""

    role: str
    """Name of the folder in the suite's: ``prior``, ``clip``, ``iqa``, ``bert``, ``reward``."""
    origin: Callable[[], Origin]
    """The repository or folder, read on each call, since the environment may name another."""
    needed: Choose
    """The files that are fetched; raises WeightsError if one is missing."""
    first: Choose = _nothing
    """Small files of those that are fetched and checked before the large ones."""
    check: Callable[[Path, str], object] | None = None
    """Takes a folder with the ``first`` files; raises WeightsError if they describe something else."""
    finish: Callable[[Path], None] | None = None
    """Takes the folder with all files: writes what is loaded later, and removes what is not, before they are hashed."""
    open: Callable[[Path], object] | None = None
    """Takes the finished folder: loads the model as a run does; raises WeightsError if its weights are not those that
    its configuration describes."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """Further entries of ``card.json``, next to origin and hashes."""
    variable: str = ""
    """The environment variable that names another repository; for the line of an error."""


def _prior(hub: HubFolder) -> Source:
    return Source(
        "prior", hub.origin, needed_files, small_files, check_pipeline, open=_open_prior, card=CARD_FIELDS,
        variable=hub.variable,
    )  # fmt: skip


def _open_prior(folder: Path) -> None:
    from methods.priors.pipeline.opening import open_pipeline  # diffusers takes seconds to import

    open_pipeline(folder)


def _open_clip(folder: Path) -> None:
    from metrics.models.clip import open_clip_folder  # as does torch

    open_clip_folder(folder)


def _scorer(role: str, repository: str, needed: Choose, **fields: Any) -> Source:
    variable = f"{SD21.variable}_{role.upper()}"
    return Source(role, partial(_origin, variable, repository), needed, variable=variable, **fields)


def _origin(variable: str, repository: str) -> Origin:
    """The repository that the environment names, or ``repository``.

    Raises:
        WeightsError: If the environment names something else.
    """
    setting = os.environ.get(variable) or repository
    if expand_path(setting).is_dir():
        role = variable.removeprefix(f"{SD21.variable}_").lower()
        raise WeightsError(
            f"{variable} = {setting!r}: is a folder, and must be a repository; run: sdibench fetch sd21 --only {role} "
            f"--from {setting}"
        )
    if not is_hub_name(setting):
        raise WeightsError(f"{variable} = {setting!r}: is not a repository (owner/name or owner/name@revision)")
    return origin_of(setting)


def _clip_files(names: Collection[str], where: str) -> list[str]:
    small = _clip_small_files(names, where)
    if _CLIP_WEIGHTS not in names:
        raise WeightsError(f"{where}: no {_CLIP_WEIGHTS}; pickled weights are not read, because they can run code")
    return [*small, _CLIP_WEIGHTS]


def _clip_small_files(names: Collection[str], where: str) -> list[str]:
    if _CLIP_CONFIG not in names:
        raise WeightsError(f"{where}: no {_CLIP_CONFIG}, so it is not a CLIP in open_clip's format")
    return [_CLIP_CONFIG, *(name for name in _CLIP_TOKENIZER if name in names)]


def _check_clip(folder: Path, where: str, *, resnet: bool) -> None:
    model = read_json(folder / _CLIP_CONFIG).get("model_cfg")
    vision = model.get("vision_cfg") if isinstance(model, dict) else None
    if not isinstance(model, dict) or not isinstance(vision, dict):
        raise WeightsError(f"{where}: {_CLIP_CONFIG} has no model_cfg with a vision_cfg")
    if model.get("quick_gelu") is not True:  # open_clip would silently take GELU, and every score would be a little off
        raise WeightsError(
            f"{where}: model_cfg.quick_gelu = {model.get('quick_gelu')!r} in {_CLIP_CONFIG}, right is true: OpenAI's "
            "weights are of networks with QuickGELU"
        )
    if isinstance(vision.get("layers"), list) != resnet:
        found, right = ("a vision transformer", "a ResNet") if resnet else ("a ResNet", "a vision transformer")
        raise WeightsError(f"{where}: {_CLIP_CONFIG} describes {found}, right is {right}")


def _exactly(*wanted: str) -> Choose:
    def choose(names: Collection[str], where: str) -> list[str]:
        for name in wanted:
            if name not in names:
                raise WeightsError(f"{where}: no {name}")
        return list(wanted)

    return choose


def _convert_reward(folder: Path) -> None:
    """Convert the published pickle to what the suite loads; BERT's vocabulary was fetched before."""
    # Imported here: it imports torch, and sources are looked up without it.
    from metrics.models.convert_image_reward import write_files

    vocabulary = folder.parent / "bert" / _VOCABULARY
    if not vocabulary.is_file():
        raise WeightsError(f"{vocabulary}: missing, and reward needs it; run: sdibench fetch sd21 --only bert reward")
    pickled, config = (folder / name for name in _REWARD_PUBLISHED)
    write_files(pickled, config, vocabulary, folder)
    pickled.unlink()
    config.unlink()


#: The sources of each suite, in the order that they are fetched in.  A further suite or scorer is a further entry.
SOURCES: dict[str, tuple[Source, ...]] = {
    "sd21": (
        _prior(SD21),
        _scorer(
            "clip", "timm/vit_base_patch32_clip_224.openai", _clip_files, first=_clip_small_files,
            check=partial(_check_clip, resnet=False), open=_open_clip,
            card={"title": "OpenAI CLIP ViT-B/32"},
        ),
        _scorer(
            "iqa", "timm/resnet50_clip.openai", _clip_files, first=_clip_small_files,
            check=partial(_check_clip, resnet=True), open=_open_clip,
            card={"title": "OpenAI CLIP RN50"},
        ),
        _scorer("bert", "google-bert/bert-base-uncased", _exactly(_VOCABULARY), card={"title": "BERT's vocabulary"}),
        _scorer(
            "reward", "THUDM/ImageReward", _exactly(*_REWARD_PUBLISHED), finish=_convert_reward,
            card={"title": "ImageReward-v1.0", "script": "python -m metrics.models.convert_image_reward"},
        ),
    ),
}  # fmt: skip


def sources_of(name: str, only: Collection[str] = ()) -> list[tuple[Source, Path]]:
    """List the sources of a suite, or of a prior by the name of its repository, and their folders.

    Raises:
        InputError: If there is no such suite, or it has no such role.
    """
    if name in SOURCES:
        found = SOURCES[name]
    elif (hub := hub_of(name)) is not None:
        found = (_prior(hub),)
    else:
        raise InputError(f"unknown suite {name!r}: {nearest(name, SOURCES)}, or a repository as owner/name")
    roles = [source.role for source in found]
    for role in only:
        if role not in roles:
            raise InputError(f"unknown role {role!r} in {name}: {nearest(role, roles)}")
    home = suite_folder(name)
    return [(source, home / source.role) for source in found if not only or source.role in only]

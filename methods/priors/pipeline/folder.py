"""The files of a diffusers pipeline that a prior reads, and the check that it can be used as a prior."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from methods.priors.pipeline.component_files import check_types, weights_files
from methods.priors.pipeline.families import classes_in, family_of
from methods.priors.pipeline.families.family import Family
from methods.priors.pipeline.json_file import read_json
from methods.priors.pipeline.tokenizer_files import tokenizer_files
from methods.weights import CARD, WeightsError, combined_sha256, verify_weights
from methods.weights_file import check_file

INDEX = "model_index.json"
PATCH_CODEC = "patch_codec.safetensors"
SCHEDULER = "scheduler/scheduler_config.json"

#: Components of pipelines that have weights, and those of text; others, such as safety checkers, are not read.
_NETWORKS = ("unet", "transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3")
_TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")
_PREDICTIONS = ("epsilon", "v_prediction", "sample")


def small_files(names: Collection[str], where: str) -> list[str]:
    """The files that describe a pipeline, and those of its tokenizers.

    Args:
        names: Paths of all files, with ``/``.
        where: Beginning of an error's message.

    Raises:
        WeightsError: If a file is missing.
    """
    return _small_files(names, _networks(names), _tokenizers(names), where)


def needed_files(names: Collection[str], where: str) -> list[str]:
    """The files of a pipeline that a prior reads: safetensors only, in full precision if there is a choice.

    Raises:
        WeightsError: If a file is missing, or there are only pickles, which can run code when they are read.
    """
    return [*small_files(names, where), *_weights(names, _networks(names), where)]


def files_in(folder: Path) -> list[str]:
    """Paths of all files of a folder, relative to it, with ``/``."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def pipeline_sha256(folder: Path) -> str:
    """One SHA-256 over a pipeline's files: those its card names, checked, or without a card those that are read.

    Raises:
        WeightsError: If a file is missing, is not what its name says, differs from the one that the card names, or
            holds quantised weights.
    """
    sha256 = verify_weights(folder) if (folder / CARD).is_file() else None
    names, where = files_in(folder), str(folder)
    if INDEX in names:
        family = family_in(folder)
        networks, tokenizers = family.networks(), family.tokenizers()
    else:
        networks, tokenizers = _networks(names), _tokenizers(names)
    read = [*_small_files(names, networks, tokenizers, where), *_weights(names, networks, where)]
    for name in read:
        check_file(folder / name)
        check_types(folder / name)
    return sha256 or combined_sha256(folder, read)


def family_in(folder: Path) -> type[Family]:
    """The family of the pipeline in a folder.

    Raises:
        WeightsError: If ``model_index.json`` cannot be read, or is that of a pipeline that cannot be a prior.
    """
    return family_of(read_json(folder / INDEX), str(folder))


def read_configs(folder: Path, networks: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The configurations of a pipeline, as :class:`~methods.priors.pipeline.families.family.Family` takes them.

    Raises:
        WeightsError: If one cannot be read.
    """
    configs = {name: read_json(folder / name / "config.json") for name in networks}
    return {"index": read_json(folder / INDEX), "scheduler": read_json(folder / SCHEDULER), **configs}


def check_resolution(folder: Path, resolution: int) -> None:
    """Check, from the small files, that the pipeline can see images of a resolution.

    Raises:
        WeightsError: If it cannot, or the pipeline cannot be a prior.
    """
    check_pipeline(folder, str(folder))
    family = family_in(folder)
    family(read_configs(folder, family.networks()), resolution)


def check_pipeline(folder: Path, where: str) -> dict[str, str]:
    """Check that the small files describe a pipeline that can be used as a prior.

    Returns:
        The class of each component by the component's name.

    Raises:
        WeightsError: If they do not; the message is one line that says what is expected.
    """
    index = read_json(folder / INDEX)
    family = family_of(index, where)
    for name in family.networks():
        if not (folder / name / "config.json").is_file():
            raise _lacking(f"{name}/config.json", where)
    configs = read_configs(folder, family.networks())
    for name in family.networks():
        if "quantization_config" in configs[name]:
            raise WeightsError(
                f"{where}: {name} is quantised (quantization_config in its config.json); take the files in float16, "
                "bfloat16 or float32"
            )
    family.check(configs, where)
    _check_scheduler(configs["scheduler"], where)
    return classes_in(index)


def _networks(names: Collection[str]) -> list[str]:
    return [name for name in _NETWORKS if f"{name}/config.json" in names]


def _tokenizers(names: Collection[str]) -> list[str]:
    return [
        each for each in _TOKENIZERS if each == _TOKENIZERS[0] or any(name.startswith(f"{each}/") for name in names)
    ]


def _small_files(
    names: Collection[str], networks: Collection[str], tokenizers: Collection[str], where: str
) -> list[str]:
    small = [INDEX, SCHEDULER, *(f"{name}/config.json" for name in networks)]
    for name in small:
        if name not in names:
            raise _lacking(name, where)
    if not {"unet", "transformer"}.intersection(networks):
        raise _lacking("unet/config.json or transformer/config.json", where)
    return [*small, *(file for name in tokenizers for file in tokenizer_files(names, name, where))]


def _weights(names: Collection[str], networks: Iterable[str], where: str) -> list[str]:
    return [f"{name}/{file}" for name in networks for file in weights_files(names, name, where).names]


def _lacking(name: str, where: str) -> WeightsError:
    return WeightsError(f"{where}: no {name}, so it is not a pipeline in diffusers' format")


def is_flow(scheduler: dict[str, Any]) -> bool:
    """Whether a scheduler's configuration is a rectified flow's."""
    return scheduler.get("_class_name") == "FlowMatchEulerDiscreteScheduler"


def _check_scheduler(config: dict[str, Any], where: str) -> None:
    if is_flow(config):
        return
    if "beta_schedule" not in config and config.get("trained_betas") is None:
        name = config.get("_class_name")
        raise WeightsError(
            f"{where}: the scheduler {name} has no beta_schedule, so it does not belong to discrete diffusion"
        )
    predicts = config.get("prediction_type", "epsilon")
    if predicts not in _PREDICTIONS:
        raise WeightsError(f"{where}: prediction_type {predicts!r} is not one of {', '.join(_PREDICTIONS)}")
    if config.get("rescale_betas_zero_snr"):
        raise WeightsError(
            f"{where}: rescale_betas_zero_snr leaves no signal at the last timestep; methods divide by it"
        )

"""Command ``convert``: write a checkpoint in one file as a folder that can be a prior."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Console

from bench.errors import InputError
from bench.output import print_line
from methods.atomic import partial_path
from methods.paths import expand_path
from methods.priors import priors
from methods.priors.loading import folder_of
from methods.priors.pipeline.card import default_fields
from methods.priors.pipeline.opening import open_pipeline
from methods.priors.pipeline.single_file import base_repository, convert_checkpoint
from methods.weights import WeightsError, file_sha256, write_card
from methods.weights_file import check_file


def convert_file(checkpoint: Path, folder: Path, console: Console, *, like: str | None = None) -> None:
    """Convert a checkpoint, open what was written as a run does, and write its card.

    Args:
        checkpoint: The file, in safetensors.
        folder: The folder to write; it is there whole at the end, or not at all.
        console: Receives a line about the result.
        like: A prior of the same kind, by name, folder or fetched repository; None for the repository that diffusers
            takes the file to be a fine-tune of, whose configurations are downloaded.

    Raises:
        InputError: If ``checkpoint`` is no such file, or ``folder`` is taken.
        WeightsError: If it cannot be converted; nothing is written then.
    """
    source, target = expand_path(checkpoint), expand_path(folder)
    if not source.is_file():
        raise InputError(f"{checkpoint}: there is no such file")
    if source.suffix != ".safetensors":
        raise InputError(
            f"{checkpoint}: must be a .safetensors file; a pickle (.ckpt, .pt, .bin) can run code when it is read"
        )
    if target.exists():
        raise InputError(f"{folder}: is there already; name a new folder")
    check_file(source)
    base = _base(source) if like is None else folder_of(like)
    if base is None:
        priors[str(like)]  # raises if there is no such prior
        raise InputError(f"--like {like}: has no weights, so no checkpoint is like it")
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = partial_path(target)
    try:
        convert_checkpoint(source, base, unfinished)
        open_pipeline(unfinished)
        origin = {"converted_from": {source.name: file_sha256(source)}, "like": like or base_repository(source)}
        write_card(unfinished, **{**default_fields(unfinished), "title": source.stem, **origin})
        unfinished.replace(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    print_line(console, f'{target}: is a prior now; in a study, prior = "{target}" and scorers = "sd21"')


def _base(checkpoint: Path) -> Path:
    """The configurations and tokenizers of the model that the file is a fine-tune of, from the hub."""
    from huggingface_hub import snapshot_download

    repository = base_repository(checkpoint)
    try:
        return Path(snapshot_download(repository, allow_patterns=["*.json", "*.txt", "*.model"]))
    except Exception as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise WeightsError(
            f"{checkpoint}: seems to be a fine-tune of {repository}, whose configurations cannot be downloaded "
            f"({why}); give --like with a prior of its kind that is here"
        ) from error

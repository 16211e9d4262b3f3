"""Priors by name, folder or repository of the hub, loaded once per process, and their cards without loading them."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from methods.contracts import Prior
from methods.priors import priors
from methods.priors.pipeline.architecture import Architecture
from methods.priors.pipeline.card import PriorCard, has_patch_codec, pipeline_card, unfetched_card
from methods.priors.pipeline.folder import check_resolution
from methods.priors.pipeline.hub import HubFolder, is_hub_name
from methods.priors.pipeline.place import find_pipeline
from methods.priors.pipeline.settings import PipelineSettings, Posterior, choose_device
from methods.priors.pipeline.unloaded import UnloadedPrior
from methods.weights import WeightsError, WeightsMissingError

if TYPE_CHECKING:
    from methods.priors.pipeline.prompt_reader import PromptReader


def load_prior(name: str, posterior: Posterior = "mode", resolution: int | None = None) -> Prior:
    """The prior registered under ``name``, that in the folder ``name``, or that of a repository of the hub.

    Args:
        name: Name, folder or repository.
        posterior: The latents that a KL autoencoder's ``encode`` returns; other priors have no choice.
        resolution: Side of the images in pixels; None for the one that its network was trained on.

    Raises:
        UnknownNameError: If it is none of them.
        WeightsMissingError: If its weights have not been fetched.
        WeightsError: If its weights differ from those that its card names, or cannot be loaded, or it has no images of
            that resolution.
    """
    folder = folder_of(name)
    if folder is not None:
        return _from_folder(folder, posterior, resolution)
    _check_no_resolution(name, resolution)
    make = priors[name].make  # raises if there is no such prior
    if make is None:
        raise TypeError(f"the prior {name!r} is registered with neither a folder nor code")
    return make()


@lru_cache(maxsize=2)  # the arms of a study on two priors take turns
def cached_prior(name: str, posterior: Posterior, resolution: int | None = None, /) -> Prior:
    """The prior of ``load_prior``, loaded once per process.

    All arguments are positional, and a resolution of None is left out: the cache takes calls that are written
    differently for different ones, and would load the same prior twice.
    """
    return load_prior(name, posterior, resolution)


def known_prior(name: str, posterior: Posterior = "mode", resolution: int | None = None) -> Prior | UnloadedPrior:
    """The prior as far as a cell's identity needs it; it is loaded only if a method needs more than its card.

    Raises:
        UnknownNameError: If there is no such prior.
        WeightsError: If its weights are missing or differ from those that its card names, or it has no images of that
            resolution.
    """
    folder = folder_of(name)
    given = (name, posterior) if resolution is None else (name, posterior, resolution)
    if folder is None:
        return cached_prior(*given)
    card = pipeline_card(folder)
    if resolution is not None:
        check_resolution(folder, resolution)
    return UnloadedPrior(card, partial(cached_prior, *given))


def folder_of(name: str) -> Path | None:
    """The folder with the weights of the prior ``name``; None for a prior without weights, or an unknown one.

    Raises:
        WeightsMissingError: If its weights have not been fetched, or nothing is at the path ``name``.
        WeightsError: If those fetched are of another repository than is set, or the path ``name`` does not lead to a
            pipeline.
    """
    if name in priors:
        find = priors[name].folder
        return None if find is None else find()
    if (hub := hub_of(name)) is not None:
        return hub.local_folder()
    return find_pipeline(name)


def hub_of(name: str) -> HubFolder | None:
    """The repository that the weights of the prior ``name`` are fetched from; None if there is nothing to fetch."""
    if name in priors:
        return priors[name].hub
    return HubFolder(name, name) if is_hub_name(name) else None


def prior_card(name: str) -> PriorCard | None:
    """The card of the prior ``name``, without loading it; None if ``folder_of`` finds no folder.

    Raises:
        WeightsMissingError: If its weights have not been fetched.
        WeightsError: If they differ from those that its card names.
    """
    folder = folder_of(name)
    return None if folder is None else pipeline_card(folder)


def prior_sha256(name: str) -> str:
    """SHA-256 of the weights of the prior ``name``, checked, without loading them; a word for a prior that has none.

    Raises:
        UnknownNameError: If there is no such prior.
        WeightsMissingError: If its weights have not been fetched.
        WeightsError: If they differ from those that its card names.
    """
    card = prior_card(name)
    return load_prior(name).weights_sha256 if card is None else card.weights_sha256


def architecture_of(name: str) -> Architecture | None:
    """The shapes of the networks of the prior ``name``, which need no weights; None for a prior without networks.

    Raises:
        UnknownNameError: If there is no such prior.
        WeightsMissingError: If its files have not been fetched, and this package does not know their shapes.
        WeightsError: If a configuration in its folder cannot be read.
    """
    try:
        folder = folder_of(name)
    except WeightsMissingError:
        shapes = _known_shapes(name)
        if shapes is None:
            raise
        return Architecture.of_file(shapes)
    if folder is not None:
        return Architecture.of_folder(folder)
    priors[name]  # raises if there is no such prior
    return None


def expected_card(name: str) -> PriorCard:
    """The card that the prior ``name`` will have once its weights have been fetched; their hash is the word "unknown".

    Raises:
        UnknownNameError: If there is no such prior.
        WeightsMissingError: If this package does not know what will be fetched.
    """
    if _known_shapes(name) is None:
        folder_of(name)  # raises, and says what is missing
        raise WeightsMissingError(f"prior {name}: has no weights to be fetched")
    return unfetched_card()


def _known_shapes(name: str) -> Path | None:
    """The file with the shapes of the networks that the prior ``name`` is fetched with, unless a user names others."""
    hub = hub_of(name)
    return None if hub is None or hub.chosen else hub.shapes


def prompt_reader(name: str) -> PromptReader | None:
    """Return the prompt reader of the prior ``name`` without loading its networks; None if only loading shows it.

    Raises:
        WeightsMissingError: If its weights have not been fetched.
        WeightsError: If its tokenizer cannot be read.
    """
    # Imported here: transformers takes seconds to import, and looking a name up should not.
    from methods.priors.pipeline.prompt_reader import PromptReader

    folder = folder_of(name)
    return None if folder is None else PromptReader(folder)


def prior_uses_gpu(name: str) -> bool:
    """Whether the prior ``name`` runs on a GPU by default, on a machine that has one.

    Raises:
        WeightsMissingError: If its weights have not been fetched.
    """
    folder = folder_of(name)
    return folder is not None and not has_patch_codec(folder)


def prior_device(name: str) -> str | None:
    """The device of this machine that the prior ``name`` would run on, in torch's words; None if only loading shows it.

    Raises:
        WeightsMissingError: If its weights have not been fetched.
        WeightsError: If SDIBENCH_DEVICE does not name a device of this machine.
    """
    folder = folder_of(name)
    return None if folder is None else choose_device(uses_gpu=not has_patch_codec(folder))


def _check_no_resolution(name: str, resolution: int | None) -> None:
    if resolution is not None:
        raise WeightsError(f"resolution = {resolution}: the prior {name} has one resolution only; leave it out")


def _from_folder(folder: Path, posterior: Posterior, resolution: int | None) -> Prior:
    # Imported here: diffusers takes seconds to import, and looking a name up should not.
    from methods.priors.pipeline.diffusers_prior import DiffusersPrior

    uses_gpu = not has_patch_codec(folder)
    return DiffusersPrior(folder, PipelineSettings.from_environment(posterior, resolution, uses_gpu=uses_gpu))

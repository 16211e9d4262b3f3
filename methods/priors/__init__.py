"""Frozen text-to-image diffusion models that methods distil from, by name or folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from methods.contracts import Prior
from methods.priors.pipeline.card import PriorCard, has_patch_codec, pipeline_card
from methods.priors.pipeline.folder import INDEX
from methods.priors.pipeline.settings import chosen_device, chosen_posterior
from methods.priors.pipeline.stable_diffusion import is_hub_name, local_folder
from methods.registry import Registry
from methods.weights import CARD

_WEIGHTS = Path(__file__).parent / "weights"

#: Functions that load a prior, for priors that are more than a folder of weights.
priors: Registry[Callable[[], Prior]] = Registry("prior")


@priors.register("gaussian")
def _gaussian() -> Prior:
    """Pictures about a colour, drawn from a Gaussian: the noise is known in closed form."""
    from methods.priors.closed_form.gaussian import GaussianPrior

    return GaussianPrior()


@priors.register("mixture")
def _mixture() -> Prior:
    """Pictures drawn from a mixture of Gaussians: the noise is known in closed form."""
    from methods.priors.closed_form.mixture import MixturePrior

    return MixturePrior()


@priors.register("toybox")
def _toybox() -> Prior:
    """The small diffusion model of the toybox, which comes with the package."""
    return _from_folder(_WEIGHTS / "toybox")


@priors.register("sd21")
def _sd21() -> Prior:
    """Stable Diffusion 2.1-base, or what SDIBENCH_SD21 names (sdibench fetch sd21)."""
    return _from_folder(local_folder("sd21"))


def load_prior(name: str) -> Prior:
    """The prior registered under ``name``, that in the folder ``name``, or that of a repository of the hub.

    Raises:
        UnknownNameError: If it is none of them.
        WeightsMissingError: If its weights have not been fetched.
        WeightsError: If its weights are not the ones its card names, or are of a kind that cannot be loaded.
    """
    if name in priors:
        return priors[name]()
    folder = folder_of(name)
    return priors[name]() if folder is None else _from_folder(folder)


def folder_of(name: str) -> Path | None:
    """The folder with the weights of the prior ``name``; None for one without weights, or an unknown one.

    Raises:
        WeightsMissingError: If its weights have not been fetched.
        WeightsError: If those fetched are of another repository than is set.
    """
    path = Path(name)
    if name == "toybox":
        return _WEIGHTS / "toybox"
    if name == "sd21" or (name not in priors and is_hub_name(name)):
        return local_folder(name)
    return path if name not in priors and any((path / file).is_file() for file in (CARD, INDEX)) else None


def prior_card(name: str) -> PriorCard | None:
    """What the weights' folder tells of the prior ``name``, without loading it; None where ``folder_of`` has none.

    Raises:
        WeightsMissingError: If its weights have not been fetched.
        WeightsError: If they are not the ones its card names.
    """
    folder = folder_of(name)
    return None if folder is None else pipeline_card(folder, chosen_posterior())


def prior_sha256(name: str) -> str:
    """SHA-256 of the weights of the prior ``name``, checked, without loading them; "none" where it has none.

    Raises:
        UnknownNameError: If there is no such prior.
        WeightsMissingError: If its weights have not been fetched.
        WeightsError: If they are not the ones its card names.
    """
    card = prior_card(name)
    return priors[name]().weights_sha256 if card is None else card.weights_sha256


def prior_device(name: str) -> str | None:
    """Where the prior ``name`` would run on this machine, as torch names devices; None where only loading it tells.

    Raises:
        WeightsMissingError: If its weights have not been fetched.
        WeightsError: If SDIBENCH_DEVICE names no device of this machine.
    """
    folder = folder_of(name)
    return None if folder is None else chosen_device(uses_gpu=not has_patch_codec(folder))


def prior_names() -> list[str]:
    """Names that ``load_prior`` knows."""
    return priors.names()


def _from_folder(folder: Path) -> Prior:
    # Imported here: diffusers takes seconds to import, and looking a name up should not.
    from methods.priors.pipeline.diffusers_prior import DiffusersPrior
    from methods.priors.pipeline.settings import PipelineSettings

    return DiffusersPrior(folder, PipelineSettings.from_environment(uses_gpu=not has_patch_codec(folder)))

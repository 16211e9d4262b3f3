"""Frozen text-to-image diffusion models that methods distil from, by name or folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from methods.contracts import Prior
from methods.registry import Registry
from methods.weights import CARD

_WEIGHTS = Path(__file__).parent / "weights"

#: Functions that load a prior, for priors that are more than a folder of weights.
priors: Registry[Callable[[], Prior]] = Registry("prior")


@priors.register("gaussian")
def _gaussian() -> Prior:
    from methods.priors.gaussian import GaussianPrior

    return GaussianPrior()


@priors.register("mixture")
def _mixture() -> Prior:
    from methods.priors.mixture import MixturePrior

    return MixturePrior()


@priors.register("toybox")
def _toybox() -> Prior:
    return _from_folder(_WEIGHTS / "toybox")


def load_prior(name: str) -> Prior:
    """The prior registered under ``name``, or the one in the folder ``name``.

    Raises:
        UnknownNameError: If it is neither.
        WeightsError: If its weights are missing or not the ones its card names.
    """
    if name not in priors and (Path(name) / CARD).is_file():
        return _from_folder(Path(name))
    return priors[name]()


def prior_names() -> list[str]:
    """Names that ``load_prior`` knows."""
    return priors.names()


def _from_folder(folder: Path) -> Prior:
    # Imported here: diffusers takes seconds to import, and looking a name up should not.
    from methods.priors.diffusers_prior import DiffusersPrior

    return DiffusersPrior(folder)

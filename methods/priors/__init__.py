"""Frozen text-to-image diffusion models that methods distil from, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from methods.contracts import Prior
from methods.priors.pipeline.hub import SD21, SD35, SDXL, HubFolder
from methods.registry import Registry

#: The folder of the weights that come with the package.
_WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class PriorSource:
    """The origin of a named prior: a folder of weights, or code."""

    summary: str
    """One line for lists."""
    folder: Callable[[], Path] | None = None
    """Finds the folder of its weights; raises WeightsMissingError if they have not been fetched."""
    hub: HubFolder | None = None
    """The repository that ``sdibench fetch`` takes its weights from; None if there is nothing to fetch."""
    make: Callable[[], Prior] | None = None
    """Makes the prior, if it has no weights."""
    suite: str = ""
    """Name of the suite of scorers that a study under this prior has by default; "" for one of the prior's own name."""


priors: Registry[PriorSource] = Registry("prior")


def suite_of(name: str) -> str:
    """The suite of scorers that a study under the prior ``name`` has by default; a folder's is of the folder's name."""
    return (priors[name].suite or name) if name in priors else name


def _gaussian() -> Prior:
    from methods.priors.closed_form.gaussian import GaussianPrior

    return GaussianPrior()


def _mixture() -> Prior:
    from methods.priors.closed_form.mixture import MixturePrior

    return MixturePrior()


def _gaussian_flow() -> Prior:
    from methods.priors.closed_form.flow import GaussianFlow

    return GaussianFlow()


for _name, _source in {
    "gaussian": PriorSource("Images around a colour, drawn from a Gaussian: exact noise.", make=_gaussian),
    "gaussian-flow": PriorSource("The images of gaussian as a rectified flow: exact velocity.", make=_gaussian_flow),
    "mixture": PriorSource("Images drawn from a mixture of Gaussians: exact noise.", make=_mixture),
    "toybox": PriorSource(
        "The small diffusion model of the toybox, which comes with the package.", folder=lambda: _WEIGHTS / "toybox"
    ),
    "toybox-flow": PriorSource(
        "The toybox's rectified flow: the same network and images, another objective.",
        folder=lambda: _WEIGHTS / "toybox-flow",
        suite="toybox",
    ),
    "toybox-latent": PriorSource(
        "The toybox's diffusion model in the latents of a learnt autoencoder, as Stable Diffusion's are.",
        folder=lambda: _WEIGHTS / "toybox-latent",
        suite="toybox",
    ),
    "sd21": PriorSource(
        "Stable Diffusion 2.1-base, or what SDIBENCH_SD21 names (sdibench fetch sd21).",
        folder=SD21.local_folder,
        hub=SD21,
    ),
    "sdxl": PriorSource(
        "Stable Diffusion XL, or what SDIBENCH_SDXL names (sdibench fetch sdxl).",
        folder=SDXL.local_folder,
        hub=SDXL,
        suite="sd21",
    ),
    "sd35": PriorSource(
        "Stable Diffusion 3.5 medium, a flow, or what SDIBENCH_SD35 names (sdibench fetch sd35).",
        folder=SD35.local_folder,
        hub=SD35,
        suite="sd21",
    ),
}.items():
    priors.register(_name)(_source)

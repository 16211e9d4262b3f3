"""Kinds of pipelines that can be priors, one file each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from methods.priors.pipeline.families.deepfloyd_if import DeepFloydIF
from methods.priors.pipeline.families.family import Family
from methods.priors.pipeline.families.flux import Flux
from methods.priors.pipeline.families.pixart import PixArtSigma
from methods.priors.pipeline.families.stable_diffusion import StableDiffusion
from methods.priors.pipeline.families.stable_diffusion_3 import StableDiffusion3
from methods.priors.pipeline.families.stable_diffusion_xl import StableDiffusionXL
from methods.weights import WeightsError

#: The families, in the order in which they are tried on a pipeline of another name.
FAMILIES: list[type[Family]] = [StableDiffusion, StableDiffusionXL, StableDiffusion3, Flux, DeepFloydIF, PixArtSigma]

#: The pipeline's name in the toybox's folder, which does not tell the kind.
_NO_KIND = "DiffusionPipeline"
#: Beginnings of the names of components that decide what a pipeline makes.
_WEIGHTY = ("unet", "transformer", "text_encoder", "image_encoder", "prior")


def family_of(index: Mapping[str, Any], where: str) -> type[Family]:
    """The family of a pipeline, by its name or else by its components.

    Args:
        index: The content of ``model_index.json``.
        where: Beginning of an error's message.

    Raises:
        WeightsError: If there is none, or a component is of another class than the family needs; the message is one
            line.
    """
    found, name = classes_in(index), index.get("_class_name", _NO_KIND)
    named = next((family for family in FAMILIES if name in family.pipelines), None)
    if named is None:
        for family in FAMILIES:
            if _misfit(family, found) is None:
                return family
        if name != _NO_KIND:
            known = ", ".join(name for family in FAMILIES for name in family.pipelines)
            raise WeightsError(f"{where}: {name} cannot be used as a prior; pipelines that can are {known}")
    family = named or FAMILIES[0]
    if misfit := _misfit(family, found):
        component, right = misfit
        raise WeightsError(
            f"{where}: {name} has {found.get(component, 'nothing')} as {component}; it must be {right[0]}"
        )
    return family


def classes_in(index: Mapping[str, Any]) -> dict[str, str]:
    """The class of each component of a pipeline by the component's name."""
    return {
        name: str(value[1])
        for name, value in index.items()
        if isinstance(value, list) and len(value) == 2 and value[1] is not None
    }


def _misfit(family: type[Family], found: Mapping[str, str]) -> tuple[str, tuple[str, ...]] | None:
    """The first component that is not as the family needs it, and the classes that it may have."""
    for name, right in family.components.items():
        if found.get(name) not in right:
            return name, right
    # a component with weights that the family does not know would be left out in silence
    more = [name for name in found if name.startswith(_WEIGHTY) and name not in family.components]
    return (more[0], ("left out",)) if more else None

"""Initialisations: where the Gaussians are before the first step."""

from __future__ import annotations

from methods.registry import Registry
from methods.scenes.gaussians.initialisations.initialisation import Initialisation

initialisations: Registry[type[Initialisation]] = Registry(
    "initialisation", "methods.scenes.gaussians.initialisations", base=Initialisation
)

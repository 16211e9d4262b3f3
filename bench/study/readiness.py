"""Whether a study can run on this machine: its scenes can be built, and its scorers are there."""

from __future__ import annotations

from typing import Any

import torch

from bench.errors import InputError
from bench.study.expand import Arm, arms_of, cached_prior, check_metrics
from bench.study.resolve_constructor import takes_prior
from bench.study.study import Study
from methods.priors import load_prior
from methods.scenes import scenes
from methods.scenes.settings import MissingPackageError


class NotInstalledError(InputError):
    """The study is right, and lacks a package on this machine; the line says how to install it."""


def check_ready(study: Study) -> None:
    """Find out before hours are spent what would stop the study, without loading a network.

    Raises:
        InputError: If a scene cannot be built with its settings.
        NotInstalledError: If that is for want of a package.
        WeightsMissingError: If a model that one of the metrics needs is missing.
    """
    check_scenes(study)
    check_metrics(study)


def check_scenes(study: Study) -> None:
    """Build each arm's scene once, since only its constructor knows which values go together.

    Raises:
        InputError: If a scene cannot be built with its settings.
        NotInstalledError: If that is for want of a package.
    """
    tried = []
    for arm in arms_of(study).values():
        if (arm.scene, arm.scene_settings) not in tried:
            tried.append((arm.scene, arm.scene_settings))
            _try(arm, f"{arm.study.name}: scene")


def _try(arm: Arm, where: str) -> None:
    factory: Any = scenes[arm.scene]
    if takes_prior(factory):  # the closed-form one spares loading the study's, whose latents only few scenes mind
        error = _refusal(factory, arm, prior=load_prior("gaussian"))
        error = error and _refusal(factory, arm, prior=cached_prior(arm.study.prior))
    else:
        error = _refusal(factory, arm)
    if error is not None:
        kind = NotInstalledError if isinstance(error, MissingPackageError) else InputError
        raise kind(f"{where}: {error}") from error


def _refusal(factory: Any, arm: Arm, **more: Any) -> Exception | None:
    try:
        factory(**arm.scene_settings, **more, init=torch.Generator().manual_seed(0))
    except (TypeError, ValueError, LookupError) as error:
        return error
    return None

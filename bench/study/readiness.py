"""Checks whether a study can run on this machine: its scenes can be built and its scorers are available."""

from __future__ import annotations

import torch

from bench.errors import InputError
from bench.study.arms import arms_of
from bench.study.pinning import check_prior, loaded_prior
from bench.study.scorers import check_metrics
from bench.study.settings import PriorChoice
from bench.study.study import Study
from methods.contracts import Prior
from methods.inputs import with_inputs
from methods.out_of_memory import is_out_of_memory
from methods.priors.loading import load_prior
from methods.scenes.portable import portable
from methods.scenes.scene import SceneSettings
from methods.settings import MissingPackageError, UnusablePackageError


class NotInstalledError(InputError):
    """A study needs a package that is not installed; the message says how to install it."""


def check_ready(study: Study, *, is_elsewhere: bool = False) -> None:
    """Check before a run whether anything would stop the study, without loading a network.

    Args:
        study: The study.
        is_elsewhere: Whether its cells run on other machines, which may have the GPU that this one lacks.

    Raises:
        InputError: If a scene cannot be built with its settings, or the prior's weights are not those of the run.
        NotInstalledError: If a package for it is not installed.
        WeightsMissingError: If the prior's weights or a model that one of the metrics needs are missing.
    """
    check_prior(study)
    check_scenes(study, is_elsewhere=is_elsewhere)
    check_metrics(study)


def check_scenes(study: Study, *, is_elsewhere: bool = False) -> None:
    """Build the scene of each arm once, because only building shows which settings go together.

    Args:
        study: The study.
        is_elsewhere: Whether its cells run on other machines: a package that does not work here is then no obstacle,
            and one that is not installed still is.

    Raises:
        InputError: If a scene cannot be built with its settings.
        NotInstalledError: If a package for it is not installed.
    """
    arms = arms_of(study)
    first: dict[tuple[SceneSettings, PriorChoice], str] = {}
    # a mistake in the study's scene is also in those of arms that change it, and is named as the study's
    for label in sorted(arms, key=lambda label: study.scene_key(label) != "scene"):
        first.setdefault((arms[label].scene, arms[label].study.prior), label)
    for (scene, prior), label in first.items():
        # the closed-form prior avoids loading the study's, whose latents only few scenes depend on
        error = _build_error(scene, load_prior("gaussian"))
        if is_elsewhere and isinstance(error, UnusablePackageError):
            scene = portable(scene)  # noqa: PLW2901, what is left to check are the settings
            error = _build_error(scene, load_prior("gaussian"))
        if error is not None and not isinstance(error, MissingPackageError) and prior.name != "gaussian":
            error = _build_error(scene, loaded_prior(arms[label].study))
        if error is not None:
            kind = NotInstalledError if isinstance(error, MissingPackageError) else InputError
            raise kind(f"{study.name}: {study.scene_key(label)}: {error}") from error


def _build_error(scene: SceneSettings, prior: Prior) -> Exception | None:
    try:
        with_inputs(scene, lambda _, part: part.stand_in()).build(prior, torch.Generator().manual_seed(0))
    except (TypeError, ValueError, LookupError) as error:
        return error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return MemoryError(f"is too large for the memory of this machine: {error}")
    return None

"""From a study to its cells, with every name and value checked before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import JsonValue

from bench.errors import InputError
from bench.study.cell import Cell
from bench.study.pinning import study_prior
from bench.study.resolve import plain_part, plain_settings, resolve_part, resolve_settings
from bench.study.scorers import scorer_roles
from bench.study.settings import CellSettings, named_table
from bench.study.study import Study
from methods.contracts import Method, Prior
from methods.distillation import methods
from methods.priors.pipeline.unloaded import UnloadedPrior
from methods.registry import UnknownNameError
from methods.scenes import scenes
from methods.scenes.scene import SceneSettings


class Arm(NamedTuple):
    """An arm of a study: what all of its cells share."""

    name: str  # of the method, in the registry
    method: Method
    given: Mapping[str, Any]  # the hyper-parameters that the study names
    study: Study  # with the arm's own settings
    scene: SceneSettings


def expand(study: Study) -> list[Cell]:
    """Expand a study into its cells: prompt by prompt, all arms of a prompt together.

    An interrupted run therefore has every arm on its first prompts, which can be compared.  No network is loaded and no
    scene is built: :mod:`bench.study.readiness` checks whether the study can run on this machine.

    Raises:
        InputError: If a name or a value is wrong.
        UnknownNameError: If a metric, a control, a suite of scorer models or the prior is not registered.
        WeightsError: If the study is not pinned, and the prior's weights are missing or not the ones that its card
            names.
        PromptSetError: If the study is not pinned, and there is no such prompt set.
    """
    scorer_roles(study)
    chosen = study.chosen_prompts()
    arms = arms_of(study)
    prior = study_prior(study)
    hyper_parameters = {label: _calibrated(label, arm, prior) for label, arm in arms.items()}
    scene_tables = {label: plain_part(arm.scene, scenes) for label, arm in arms.items()}
    return [
        Cell(
            label=label,
            method=arm.name,
            hyper_parameters=hyper_parameters[label],
            prompt_id=prompt.id,
            prompt=prompt.text,
            seed=seed,
            scene=scene_tables[label],
            prior_sha256=prior.weights_sha256,
            **{name: getattr(arm.study, name) for name in CellSettings.model_fields},
        )
        for seed in study.seeds
        for prompt in chosen
        for label, arm in arms.items()
    ]


def arms_of(study: Study) -> dict[str, Arm]:
    """The arms of the study by label, their settings resolved.

    Raises:
        InputError: If a name or a value is wrong.
    """
    return {label: _arm(study, label) for label in study.methods}


def _arm(study: Study, label: str) -> Arm:
    where = f"{study.name}: methods.{label}"
    own = study.of_arm(label)
    given = dict(own.methods[label])
    name = str(given.pop("method", label))
    try:
        factory = methods[name]
    except UnknownNameError as error:
        raise InputError(f"{where}: {error}") from error
    method = resolve_settings(factory, given, where=where)
    scene = resolve_part(own.scene, scenes, where=f"{own.name}: scene")
    return Arm(name, method, given, own, scene)


def _calibrated(label: str, arm: Arm, prior: Prior | UnloadedPrior) -> dict[str, JsonValue]:
    """All hyper-parameters of the arm; those in the study have precedence over the prior's card."""
    method: Any = arm.method
    try:
        if arm.study.guidance == "calibrated":
            method = _keep_given(method.calibrated(prior), method, arm.given)
    except (TypeError, ValueError, LookupError) as error:
        raise InputError(f"{arm.study.name}: methods.{label}: {error}") from error
    return plain_settings(method)


def _keep_given(calibrated: Any, written: Any, given: Mapping[str, Any]) -> Any:
    """Replace settings of ``calibrated`` that were ``given`` by those of ``written``, table by table."""
    kept = {}
    for name, value in given.items():
        if name != "name":
            new, old = getattr(calibrated, name), getattr(written, name)
            kept[name] = _keep_given(new, old, named_table(value)) if dataclasses.is_dataclass(new) else old
    return dataclasses.replace(calibrated, **kept)

"""From a study to its cells, with every name and value checked before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from bench.errors import InputError
from bench.study.arms import Arm, arms_of
from bench.study.cell import Cell
from bench.study.inputs import find_inputs
from bench.study.pinning import study_prior
from bench.study.resolve import plain_part, plain_settings
from bench.study.scorers import scorer_roles
from bench.study.settings import CellSettings, named_table
from bench.study.study import Study
from methods.contracts import Prior
from methods.inputs import Input, with_inputs
from methods.priors.pipeline.unloaded import UnloadedPrior
from methods.scenes import scenes
from methods.scenes.scene import SceneSettings


def expand(study: Study) -> list[Cell]:
    """Expand a study into its cells: prompt by prompt, all arms of a prompt together.

    An interrupted run therefore has every arm on its first prompts, which can be compared.  No network is loaded and no
    scene is built: :mod:`bench.study.readiness` checks whether the study can run on this machine.

    Raises:
        InputError: If a name or a value is wrong, or a file or a record that a scene starts from is missing and is not
            pinned.
        UnknownNameError: If a metric, a control, a suite of scorer models or the prior is not registered.
        WeightsError: If the study is not pinned, and the prior's weights are missing or not the ones that its card
            names.
        PromptSetError: If the study is not pinned, and there is no such prompt set.
    """
    scorer_roles(study)
    chosen = study.chosen_prompts()
    arms = arms_of(study)
    prior = study_prior(study)
    own = study.with_own_priors()
    priors = {label: study_prior(own[label]) if label in own else prior for label in arms}
    hyper_parameters = {label: _calibrated(label, arm, priors[label]) for label, arm in arms.items()}
    scene_tables = {label: plain_part(arm.scene, scenes) for label, arm in arms.items()}
    inputs = find_inputs(study)
    return [
        Cell(
            label=label,
            method=arm.name,
            hyper_parameters=hyper_parameters[label],
            prompt_id=prompt.id,
            prompt=prompt.text,
            seed=seed,
            scene=_with(inputs.get((label, prompt.id, seed)), arm.scene) or scene_tables[label],
            prior_sha256=priors[label].weights_sha256,
            **{name: getattr(arm.study, name) for name in CellSettings.model_fields},
        )
        for seed in study.seeds
        for prompt in chosen
        for label, arm in arms.items()
    ]


def _with(inputs: Mapping[str, Input] | None, scene: SceneSettings) -> dict[str, JsonValue] | None:
    """The scene of a cell with its inputs by field; None without any."""
    return plain_part(with_inputs(scene, lambda field, _: inputs[field]), scenes) if inputs else None


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

"""From a study to its cells, with every name and value checked before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from pydantic import JsonValue, TypeAdapter

from bench.cell import Cell
from bench.errors import InputError
from bench.resolve import plain_settings, resolve_settings, takes_prior
from bench.study import Study
from methods.contracts import Prior
from methods.distillation import methods
from methods.priors import load_prior
from methods.registry import UnknownNameError
from methods.scenes import scenes
from metrics import metrics
from metrics.controls import controls
from metrics.suites import find_suite
from prompts import Prompt, load_prompt_set

_JSON: TypeAdapter[Any] = TypeAdapter(Any)

#: What a cell takes from its study as it stands.
_SHARED = (
    "steps", "views_per_step", "penalties", "view_prompts",
    "cameras", "render", "evaluation", "optimiser", "divergence",
)  # fmt: skip


class _Arm(NamedTuple):
    method: str  # registered name
    given: dict[str, Any]  # hyper-parameters that the study names
    study: Study  # with what the arm does otherwise than the rest
    scene: str  # registered name
    scene_settings: dict[str, JsonValue]


def expand(study: Study) -> list[Cell]:
    """The study's cells: prompt by prompt, all methods of a prompt together.

    A run that is cut short so has every method on its first prompts, which can be compared.

    Raises:
        InputError: If a name or a value is wrong.
        UnknownNameError: If a method, a scene or the prior is not registered.
        WeightsError: If the prior's weights are missing or others than their card names, or a scorer's are missing.
        PromptSetError: If there is no such prompt set.
    """
    check_metrics(study)
    chosen = chosen_prompts(study)
    arms = {label: _arm(study, label) for label in study.methods}  # before the prior: it is slow to load
    prior = cached_prior(study.prior)
    return [
        Cell(
            label=label,
            method=arm.method,
            hyper_parameters=_calibrated(label, arm, prior),
            prompt_id=prompt.id,
            prompt=prompt.text,
            seed=seed,
            scene=arm.scene,
            scene_settings=arm.scene_settings,
            prior=study.prior,
            prior_sha256=prior.weights_sha256,
            **{name: getattr(arm.study, name) for name in _SHARED},
        )
        for seed in study.seeds
        for prompt in chosen
        for label, arm in arms.items()
    ]


def chosen_prompts(study: Study) -> list[Prompt]:
    """The study's prompts in its order.

    Raises:
        PromptSetError: If there is no such prompt set, or no such prompt in it.
    """
    prompt_set = load_prompt_set(study.prompts)
    return [prompt_set[prompt_id] for prompt_id in study.prompt_ids] if study.prompt_ids else list(prompt_set.prompts)


@lru_cache(maxsize=1)
def cached_prior(name_or_folder: str) -> Prior:
    """The prior, loaded once for a process; with its ``weights_sha256``."""
    return load_prior(name_or_folder)


def check_metrics(study: Study) -> None:
    """Find what the study is to be scored with, without loading it.

    Raises:
        UnknownNameError: If a metric, a control or a suite of scorer models is not registered.
        WeightsMissingError: If the suite lacks a model that one of the metrics needs.
    """
    for name in study.controls:
        controls[name]  # raises
    suite = find_suite(study.scorer_suite)
    roles = [getattr(metrics[name], "role", None) for name in study.metrics]  # another package's may have none
    for role in dict.fromkeys(roles):
        if role is not None:
            suite.folder(role)


def _arm(study: Study, label: str) -> _Arm:
    where = f"{study.name}: methods.{label}"
    own = study.of_arm(label)
    given = dict(own.methods[label])
    name = given.pop("method", label)
    try:
        factory = methods[str(name)]
    except UnknownNameError as error:
        raise InputError(f"{where}: {error}") from error
    resolve_settings(factory, given, where=where)
    return _Arm(str(name), given, own, *_scene(own))


def _calibrated(label: str, arm: _Arm, prior: Prior) -> dict[str, JsonValue]:
    """All hyper-parameters; what the study gives explicitly stands above the prior's card."""
    where = f"{arm.study.name}: methods.{label}"
    factory = methods[arm.method]
    settings = resolve_settings(factory, arm.given, where=where)
    try:
        method: Any = factory(**settings)
        if arm.study.guidance == "calibrated":
            method = _put_back(method.calibrated(prior), method, arm.given)
    except (TypeError, ValueError, LookupError) as error:
        raise InputError(f"{where}: {error}") from error
    return plain_settings(method)


def _put_back(calibrated: Any, written: Any, given: Mapping[str, Any]) -> Any:
    """``calibrated`` with the settings that were ``given`` as they are ``written``, table by table."""
    kept = {}
    for name, value in given.items():
        if name != "name":
            new, old = getattr(calibrated, name), getattr(written, name)
            kept[name] = _put_back(new, old, value) if dataclasses.is_dataclass(new) else old
    return dataclasses.replace(calibrated, **kept)


def _scene(study: Study) -> tuple[str, dict[str, JsonValue]]:
    where = f"{study.name}: scene"
    given = dict(study.scene)
    name = str(given.pop("name"))
    try:
        factory = scenes[name]
    except UnknownNameError as error:
        raise InputError(f"{where}: {error}") from error
    settings = resolve_settings(factory, given, where=where)
    _try_scene(factory, settings | ({"prior": cached_prior(study.prior)} if takes_prior(factory) else {}), where)
    return name, dict(_JSON.dump_python(settings, mode="json", fallback=dict))


def _try_scene(factory: Any, settings: dict[str, Any], where: str) -> None:
    """Build the scene once, since only its constructor knows which values go together."""
    try:
        factory(**settings, init=torch.Generator().manual_seed(0))
    except (TypeError, ValueError, LookupError) as error:
        raise InputError(f"{where}: {error}") from error

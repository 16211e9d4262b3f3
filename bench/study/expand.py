"""From a study to its cells, with every name and value checked before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

from pydantic import JsonValue, TypeAdapter

from bench.errors import InputError
from bench.study.cell import Cell
from bench.study.resolve import named_table, plain_settings, resolve_settings
from bench.study.resolve_constructor import resolve_settings as resolve_constructor
from bench.study.study import Study
from methods.contracts import Prior
from methods.distillation import methods
from methods.priors import load_prior, prior_card
from methods.priors.pipeline.unloaded import UnloadedPrior
from methods.registry import UnknownNameError
from methods.scenes import scenes
from metrics import metrics
from metrics.controls import controls
from metrics.suites import Role, find_suite
from prompts import Prompt, load_prompt_set

_JSON: TypeAdapter[Any] = TypeAdapter(Any)

#: What a cell takes from its study as it stands.
_SHARED = (
    "steps", "views_per_step", "penalties", "view_prompts",
    "cameras", "render", "evaluation", "optimiser", "divergence",
)  # fmt: skip


class Arm(NamedTuple):
    """One of a study's methods with its settings, which all of its cells share."""

    method: str  # registered name
    given: dict[str, Any]  # hyper-parameters that the study names
    study: Study  # with what the arm does otherwise than the rest
    scene: str  # registered name
    scene_settings: dict[str, Any]  # as its constructor takes them


def expand(study: Study) -> list[Cell]:
    """The study's cells: prompt by prompt, all methods of a prompt together.

    A run that is cut short so has every method on its first prompts, which can be compared.  No network is loaded
    and no scene built: whether the study can run on this machine is for :mod:`bench.study.readiness` to say.

    Raises:
        InputError: If a name or a value is wrong.
        UnknownNameError: If a metric, a control, a suite of scorer models or the prior is not registered.
        WeightsError: If the prior's weights are missing or others than their card names.
        PromptSetError: If there is no such prompt set.
    """
    scorer_roles(study)
    chosen = chosen_prompts(study)
    arms = arms_of(study)
    prior = known_prior(study.prior)
    hyper_parameters = {label: _calibrated(label, arm, prior) for label, arm in arms.items()}
    scenes_as_json = {label: _as_json(arm.scene_settings) for label, arm in arms.items()}
    return [
        Cell(
            label=label,
            method=arm.method,
            hyper_parameters=hyper_parameters[label],
            prompt_id=prompt.id,
            prompt=prompt.text,
            seed=seed,
            scene=arm.scene,
            scene_settings=scenes_as_json[label],
            prior=study.prior,
            prior_sha256=prior.weights_sha256,
            **{name: getattr(arm.study, name) for name in _SHARED},
        )
        for seed in study.seeds
        for prompt in chosen
        for label, arm in arms.items()
    ]


def arms_of(study: Study) -> dict[str, Arm]:
    """The study's methods and scenes by label, their settings named and typed rightly.

    Raises:
        InputError: If a name or a value is wrong.
    """
    return {label: _arm(study, label) for label in study.methods}


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


def known_prior(name_or_folder: str) -> Prior | UnloadedPrior:
    """The prior as far as cells are named after it; it is loaded only when a method asks for more than its card.

    Raises:
        UnknownNameError: If there is no such prior.
        WeightsError: If its weights are missing or others than their card names.
    """
    card = prior_card(name_or_folder)
    return cached_prior(name_or_folder) if card is None else UnloadedPrior(card, partial(cached_prior, name_or_folder))


def check_metrics(study: Study) -> None:
    """Find what the study is to be scored with, without loading it.

    Raises:
        UnknownNameError: If a metric, a control or a suite of scorer models is not registered.
        WeightsMissingError: If the suite lacks a model that one of the metrics needs.
    """
    suite = find_suite(study.scorer_suite)
    for role in scorer_roles(study):
        suite.folder(role)


def scorer_roles(study: Study) -> list[Role]:
    """The models that the study's metrics need of its suite.

    Raises:
        UnknownNameError: If a metric, a control or a suite of scorer models is not registered.
    """
    find_suite(study.scorer_suite)
    for name in study.controls:
        controls[name]  # raises
    roles = [getattr(metrics[name], "role", None) for name in study.metrics]  # another package's may have none
    return [role for role in dict.fromkeys(roles) if role is not None]


def _arm(study: Study, label: str) -> Arm:
    where = f"{study.name}: methods.{label}"
    own = study.of_arm(label)
    given = dict(own.methods[label])
    name = given.pop("method", label)
    try:
        factory = methods[str(name)]
    except UnknownNameError as error:
        raise InputError(f"{where}: {error}") from error
    resolve_settings(factory, given, where=where)
    return Arm(str(name), given, own, *_scene(own))


def _calibrated(label: str, arm: Arm, prior: Prior | UnloadedPrior) -> dict[str, JsonValue]:
    """All hyper-parameters; what the study gives explicitly stands above the prior's card."""
    where = f"{arm.study.name}: methods.{label}"
    factory = methods[arm.method]
    method = resolve_settings(factory, arm.given, where=where)
    try:
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
            kept[name] = _put_back(new, old, named_table(value)) if dataclasses.is_dataclass(new) else old
    return dataclasses.replace(calibrated, **kept)


def _scene(study: Study) -> tuple[str, dict[str, Any]]:
    where = f"{study.name}: scene"
    given = dict(study.scene)
    name = str(given.pop("name"))
    try:
        factory: Any = scenes[name]  # of a Scene and nn.Module at once, which Python has no type for
    except UnknownNameError as error:
        raise InputError(f"{where}: {error}") from error
    return name, resolve_constructor(factory, given, where=where)


def _as_json(settings: dict[str, Any]) -> dict[str, JsonValue]:
    return dict(_JSON.dump_python(settings, mode="json", fallback=dict))

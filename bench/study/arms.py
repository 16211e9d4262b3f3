"""The arms of a study, their settings resolved."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from bench.errors import InputError
from bench.study.naming import missing_package
from bench.study.resolve import resolve_part, resolve_settings
from bench.study.settings import is_imported
from bench.study.study import Study
from methods.contracts import Method
from methods.distillation import methods
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


def arms_of(study: Study) -> dict[str, Arm]:
    """The arms of the study that are optimised, by label, their settings resolved.

    Raises:
        InputError: If a name or a value is wrong.
    """
    try:
        return {label: _arm(study, label) for label, table in study.methods.items() if not is_imported(table)}
    except InputError as error:
        if isinstance(error.__cause__, UnknownNameError) and (hint := missing_package(study)):
            raise InputError(f"{error}{hint}") from error.__cause__
        raise


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
    if study.pinned is None:  # a run of an earlier version, which took it, is still read
        _check_guidance(method, where)
    return Arm(name, method, given, own, _scene(study, label, own))


def _check_guidance(method: Method, where: str) -> None:
    """Refuse guidance away from the prompt."""
    for name in {field.name for field in dataclasses.fields(method)}.intersection(method.guidance_fields):
        value = getattr(method, name)
        if isinstance(value, int | float) and value < 0:
            raise InputError(f"{where}: {name}: {value} is negative; guidance goes towards the prompt")


def _scene(study: Study, label: str, own: Study) -> SceneSettings:
    """The scene of an arm, whose table may be the study's with some changes."""
    key = study.scene_key(label)
    try:
        scene: SceneSettings = resolve_part(own.scene, scenes, where=f"{study.name}: {key}")
    except InputError:
        if key != "scene" and own.scene["name"] == study.scene["name"]:
            resolve_part(study.scene, scenes, where=f"{study.name}: scene")  # raises if the mistake is there
        raise
    return scene

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from bench.commands.list import REGISTRIES, registry_of_kind
from bench.errors import InputError
from bench.study.resolve import plain_part, plain_settings, resolve_part, resolve_settings
from methods.distillation import methods
from methods.registry import Registry
from methods.scenes import scenes


@dataclass(frozen=True)
class Method:
    scale: float
    bounds: tuple[float, float] = (0.0, 1.0)
    count: int = 3
    title: str = ""
    is_on: bool = False


def test_defaults_are_filled_in_and_types_restored() -> None:
    method = resolve_settings(Method, {"scale": 2, "bounds": [0.2, 0.5]}, where="x")
    assert method == Method(scale=2.0, bounds=(0.2, 0.5), count=3)
    assert isinstance(method.scale, float)
    assert isinstance(method.bounds, tuple)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "m: the key 'scale' is missing"),
        ({"scale": 1.0, "cuont": 3}, "m: unknown key 'cuont': did you mean count?"),
        ({"scale": "high"}, "m.scale = 'high': input should be a valid number"),
        ({"scale": "3"}, "m.scale = '3': input should be a valid number$"),
        ({"scale": True}, "m.scale = True: must be a number"),
        ({"scale": 1.0, "count": "3"}, "m.count = '3': input should be a valid integer$"),
        ({"scale": 1.0, "bounds": [0, "1"]}, r"m.bounds = \[0, '1'\]: input should be a valid number$"),
        ({"scale": 1.0, "title": 3}, "m.title = 3: input should be a valid string$"),
        ({"scale": 1.0, "is_on": "yes"}, "m.is_on = 'yes': input should be a valid boolean$"),
        ({"scale": object()}, "m.scale = <object object .*: input should be a valid number$"),
        ({"scale": 1.0, "count": 1.5}, "m.count = 1.5: input should be a valid integer"),
        ({"scale": 1.0, "bounds": [0.1]}, r"m.bounds = \[0.1\]: field required"),
        ({"scale": float("nan")}, "m.scale = nan: input should be a finite number"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_settings(Method, given, where="m")


@pytest.mark.parametrize("bounds", [[0, 1], (0, 1), [0.0, 1]])
def test_integers_are_numbers_and_lists_are_tuples(bounds: object) -> None:
    found = resolve_settings(Method, {"scale": 2, "bounds": bounds}, where="x")
    assert (found.scale, found.bounds) == (2.0, (0.0, 1.0))
    assert all(isinstance(value, float) for value in (found.scale, *found.bounds))


class Part:
    pass


parts: Registry[type] = Registry("part", base=Part)


@parts.register("leaf")
@dataclass(frozen=True)
class Leaf(Part):
    width: int = 2

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width: {self.width} is not a positive number")


@parts.register("wrapped")
@dataclass(frozen=True)
class Wrapped(Part):
    inner: Part = Leaf()


@dataclass(frozen=True)
class Group:
    every: int = 10


@dataclass(frozen=True)
class Whole:
    part: Part = Wrapped()
    group: Group = Group()


def test_a_part_is_chosen_by_name_with_its_settings_or_by_name_alone() -> None:
    given = {"part": {"name": "wrapped", "inner": {"name": "leaf", "width": 5}}, "group": {"every": 3}}
    assert resolve_settings(Whole, given, where="x") == Whole(Wrapped(Leaf(5)), Group(3))
    assert resolve_settings(Whole, {"part": "leaf"}, where="x") == Whole(Leaf())
    assert resolve_part("leaf", parts, where="x") == Leaf()


@pytest.mark.parametrize("name", methods.names())
def test_a_setting_that_came_later_is_left_out_at_its_default_and_only_there(name: str) -> None:
    """A cell without it keeps its identity, and its settings still mean the same."""
    factory = methods[name]
    plain = plain_settings(factory())
    assert not {*factory.later_fields}.intersection(plain)
    assert {*factory.later_fields} <= {field.name for field in dataclasses.fields(factory)}
    assert resolve_settings(factory, plain, where="x") == factory()


@pytest.mark.parametrize("name", ["sdi", "hifa"])
def test_a_setting_that_came_later_is_part_of_a_cell_that_changes_it(name: str) -> None:
    changed = methods[name](denoise_steps=4)
    assert plain_settings(changed) == plain_settings(methods[name]()) | {"denoise_steps": 4}


@pytest.mark.parametrize("kind", REGISTRIES)
def test_the_defaults_of_all_parts_are_settings_of_the_declared_types(kind: str) -> None:
    registry = registry_of_kind(kind)
    for thing in map(registry.__getitem__, registry.names()):
        if dataclasses.is_dataclass(thing) and isinstance(thing, type) and not _required(thing):
            part = thing()
            assert resolve_part(plain_part(part, registry), registry, where="x") == part


def _required(thing: type) -> list[str]:
    missing = dataclasses.MISSING
    return [field.name for field in dataclasses.fields(thing) if field.default is field.default_factory is missing]


def test_plain_settings_are_what_resolves_to_the_same() -> None:
    whole = Whole(Wrapped(Leaf(7)), Group(4))
    plain = plain_settings(whole)
    assert plain == {"part": {"name": "wrapped", "inner": {"name": "leaf", "width": 7}}, "group": {"every": 4}}
    assert resolve_settings(Whole, plain, where="x") == whole


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"part": 3}, 'm.part = 3: must be a table with a key name, such as name = "leaf"'),
        ({"part": {"width": 3}}, "m.part = {'width': 3}: must be a table with a key name"),
        ({"part": "laef"}, "m.part: unknown part 'laef': did you mean leaf?"),
        ({"part": {"name": "wrapped", "inner": {"name": "leaf", "wdth": 1}}}, "m.part.inner: unknown key 'wdth'"),
        ({"part": {"name": "leaf", "width": 0}}, "m.part: width: 0 is not a positive number"),
        ({"group": {"evry": 1}}, "m.group: unknown key 'evry': did you mean every?"),
        ({"group": 4}, "m.group = 4: must be a table of settings"),
    ],
)
def test_what_is_wrong_in_a_part_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_settings(Whole, given, where="m")


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        (
            {"name": "gaussians", "size": "neighbour"},
            "scene.size = 'neighbour': input should be a valid number, or",
        ),
        ({"name": "gaussians", "size": "neighbour"}, "or input should be 'neighbours'$"),
        ({"name": "gaussians", "size": True}, "scene.size = True: must be a number"),
        ({"name": "nerf", "samples_at_once": True}, "scene.samples_at_once = True: must be a number"),
    ],
)
def test_a_setting_of_two_kinds_names_both(scene: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_part(scene, scenes, where="scene")
    assert resolve_part({"name": "gaussians", "size": "neighbours"}, scenes, where="scene").size == "neighbours"

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from foreign_package import install

from methods.registry import RegistrationError, Registry, UnknownNameError, nearest


def test_registered_things_are_found_by_name() -> None:
    registry: Registry[type] = Registry("thing")
    registry.register("one")(int)
    assert registry["one"] is int
    assert "one" in registry
    assert registry.names() == ["one"]


def test_two_things_under_one_name_are_refused() -> None:
    registry: Registry[type] = Registry("thing")
    registry.register("one")(int)
    registry.register("one")(int)  # registering the same thing again is harmless: a module can be imported twice
    with pytest.raises(RegistrationError, match=r"thing 'one' is registered twice: builtins\.int and builtins\.str"):
        registry.register("one")(str)


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    registry: Registry[type] = Registry("thing")
    registry.register("apple")(int)
    registry.register("tree")(str)
    with pytest.raises(UnknownNameError, match=r"^unknown thing 'appple': did you mean apple\?$"):
        registry["appple"]
    with pytest.raises(UnknownNameError, match=r"^unknown thing 'zzz': known: apple, tree$"):
        registry["zzz"]


def test_nearest_names_come_first_and_all_names_where_none_is_near() -> None:
    assert nearest("sdii", ["sds", "sdi", "ism"]).startswith("did you mean sdi")
    assert nearest("gauss", ["b", "a"]) == "known: a, b"
    assert nearest("gauss", []) == "known: none"


class Base:
    """What the things of a registry share."""


@dataclass(frozen=True)
class Right(Base):
    width: int = 2


class Bare(Base):
    width: int = 2


class Below(Right):
    height: int = 3


@dataclass
class Thawed(Base):
    width: int = 2


@pytest.mark.parametrize("thing", [Bare, Below, Thawed, Right(), len])
def test_what_has_settings_must_be_a_frozen_dataclass_itself(thing: object) -> None:
    """The annotations of any other class would be no settings, without a word about it."""
    registry: Registry[object] = Registry("part", base=Base)
    assert registry.register("right")(Right) is Right
    origin = getattr(thing, "__qualname__", "Right")
    with pytest.raises(RegistrationError, match=rf"^part 'wrong': .*{origin}.* must be a frozen dataclass, or its"):
        registry.register("wrong")(thing)
    assert registry.names() == ["right"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = = 3\n", r"thing: addons_0\.wrong cannot be imported: SyntaxError: invalid syntax \(wrong\.py, line 1\)"),
        ("\nimport nopackage\n", r"ModuleNotFoundError: No module named 'nopackage' \(wrong\.py, line 2\)"),
        ("1 / 0\n", r"thing: addons_2\.wrong cannot be imported: ZeroDivisionError: division by zero \(wrong\.py, "),
    ],
)
def test_a_file_that_cannot_be_imported_is_named_with_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, text: str, message: str
) -> None:
    package = tmp_path / f"addons_{request.node.callspec.indices['text']}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "wrong.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry[type] = Registry("thing", package.name)
    for _ in range(2):  # it is refused each time, not only the first
        with pytest.raises(RegistrationError, match=message):
            registry.names()


def test_an_entry_point_names_a_thing_and_not_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    def given(value: str) -> Registry[type]:
        points = [EntryPoint("mine", value, "sdibench.thing")]
        monkeypatch.setattr("methods.registry.entry_points", lambda group: points if group == "sdibench.thing" else [])
        return Registry("thing")

    assert given("collections:OrderedDict").names() == ["mine"]
    line = r"thing: the entry point mine = collections: must name what is in the module: collections:NAME"
    with pytest.raises(RegistrationError, match=line):
        given("collections").names()
    with pytest.raises(
        RegistrationError, match=r"mine = collections:NoDict cannot be imported: AttributeError: .*NoDict"
    ):
        given("collections:NoDict").names()


def test_a_package_that_cannot_be_imported_is_named_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "foreign-broken", "import nopackage\n", {"sdibench.broken_thing: mine": "Mine"})
    monkeypatch.syspath_prepend(tmp_path)
    line = (
        r"^broken thing: the entry point mine = foreign_broken:Mine cannot be imported: ModuleNotFoundError: No module "
        r"named 'nopackage' \(foreign_broken\.py, line 1\); mend or uninstall the package foreign-broken 1\.2$"
    )
    with pytest.raises(RegistrationError, match=line):
        Registry("broken thing").names()


def test_two_packages_with_one_name_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("foreign-one", "foreign-two"):
        install(tmp_path, name, "class Mine: ...\n", {"sdibench.doubled_thing: mine": "Mine"})
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry[type] = Registry("doubled thing")
    with pytest.raises(RegistrationError) as caught:
        registry.names()
    for name in ("one", "two"):
        assert f"foreign_{name}.Mine of the package foreign-{name} 1.2" in str(caught.value)
    assert str(caught.value).endswith("; uninstall or rename one")
    assert sorted(str(error) for _, error in registry.plug_ins()) == sorted(["None", str(caught.value)])


def test_a_package_that_takes_a_name_of_the_suite_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "foreign-taken", "class Mine: ...\n", {"sdibench.taken_thing: one": "Mine"})
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry[type] = Registry("taken thing")
    registry.register("one")(int)
    line = r"'one' is registered twice: builtins\.int and foreign_taken\.Mine of the package foreign-taken 1\.2; "
    with pytest.raises(RegistrationError, match=line):
        registry.names()


def test_a_package_whose_thing_is_refused_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "foreign-bare", "class Mine: ...\n", {"sdibench.bare_thing: mine": "Mine"})
    monkeypatch.syspath_prepend(tmp_path)
    line = r"must be a frozen dataclass, .*; mend or uninstall the package foreign-bare 1\.2$"
    with pytest.raises(RegistrationError, match=line):
        Registry("bare thing", base=type("OwnBase", (), {})).names()

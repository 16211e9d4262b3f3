"""The settings of a study's arms: those in which they differ, and those that all share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from reports.frames import ReportFrames
from reports.table import Entry, Row, Table, TableColumn

#: Settings by which the cells of one arm differ, and the arm's own names.
_OF_CELLS: Final = ("label", "method", "prompt_id", "prompt", "seed")
_HYPER_PARAMETERS: Final = "hyper_parameters"

#: Beginning of the path of a method's own setting, which is shown without it, as a study sets it.
_OF_METHOD: Final = "method: "

#: The setting whose parts may be others in each arm.
_SCENE: Final = "scene"

#: Most values of one arm that are listed; more, such as one of each prompt, would hide the arm's other settings.
_MOST_LISTED: Final = 3
_SHA256: Final = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")

#: Prompts of each value of each setting by its path: several values if cells of one arm differ.
Settings = dict[str, dict[str, set[str]]]


@dataclass(frozen=True)
class Arms:
    """The arms of a study.

    Args:
        table: A row for each arm: its method, and its values of the settings in which arms differ.
        shared: Path and value of each setting that all arms have in common.
    """

    table: Table
    shared: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, frames: ReportFrames) -> Arms:
        """Compare the settings of all arms that were optimised; of imported ones they are not known."""
        methods, known = {}, {}
        for label, cells in frames.cells.groupby("method", sort=False):
            first = _read(cells["settings"].iloc[0])
            methods[str(label)] = str(first.get("method", ""))
            if (cells["provenance"] != "imported").all():
                known[str(label)] = _of_arm(cells)
        varied = _varied(list(known.values()))
        columns = (
            TableColumn("method", "method", kind="words"),
            TableColumn("settings", "settings", kind="words"),
        )
        rows = []
        for label, method in methods.items():
            own = known.get(label, {})
            listed = "; ".join(
                f"{path.removeprefix(_OF_METHOD)} = {_shown(own[path])}" for path in varied if path in own
            )
            rows.append(Row(label, (Entry(text=method), Entry(text=listed))))
        shared = {
            path: values
            for path, values in next(iter(known.values()), {}).items()
            if all(tuple(settings.get(path, ())) == tuple(values) for settings in known.values())
        }
        return cls(
            Table("arms", "Arms", _caption(len(known), len(methods), bool(varied)), "Arm", columns, tuple(rows)),
            tuple((path.removeprefix(_OF_METHOD), _shown(values)) for path, values in shared.items()),
        )


def _caption(known: int, arms: int, differ: bool) -> tuple[str, ...]:
    """Compare the arms whose settings are known, if there are two to compare."""
    if known < 2:
        return ("Hyper-parameters and settings of imported arms are not known.",) if known < arms else ()
    first = (
        "Hyper-parameters and settings in which the arms differ, with the values that they ran with; of a scene, or a "
        "part of one, that others do not have, the name alone."
        if differ
        else "The arms have the same hyper-parameters and settings."
    )
    return (first, "Of imported arms they are not known.") if known < arms else (first,)


def _varied(arms: Sequence[Settings]) -> list[str]:
    """Return the paths of the settings in which arms differ, those of the methods first.

    Where arms have other scenes, or other parts of one, the settings of a part that only one of them has are left out:
    the name of the part says it.
    """
    paths = sorted(dict.fromkeys(path for settings in arms for path in settings), key=_is_of_study)
    varied = []
    for path in paths:
        # the values themselves: arms with other values for each prompt have the same text
        having = [settings for settings in arms if path in settings]
        values = {tuple(settings[path]) for settings in having}
        lacking = [settings for settings in arms if path not in settings]
        if len(values) > 1 or any(not _has_another_part(settings, having, path) for settings in lacking):
            varied.append(path)
    return varied


def _has_another_part(lacking: Settings, having: Sequence[Settings], path: str) -> bool:
    """Say whether an arm lacks a setting because its scene, or the part of it that the setting is of, is another."""
    steps = path.split(".")
    parts = [".".join(steps[:count]) for count in range(1, len(steps))] if steps[0] == _SCENE else []
    return any(
        part in lacking and all(tuple(lacking[part]) != tuple(settings.get(part, ())) for settings in having)
        for part in parts
    )


def _is_of_study(path: str) -> bool:
    return not path.startswith(_OF_METHOD)


def _of_arm(cells: pd.DataFrame) -> Settings:
    """Return the settings of an arm's cells; where these differ, as after a change of the code, all values.

    The paths of the method's own begin with ``_OF_METHOD``.
    """
    values: Settings = {}
    for text, prompts in cells.groupby("settings", sort=False)["prompt_id"]:
        settings = {name: value for name, value in _read(text).items() if name not in _OF_CELLS}
        own = settings.pop(_HYPER_PARAMETERS, {})
        for path, value in (*_leaves(own, _OF_METHOD), *_leaves(settings)):
            values.setdefault(path, {}).setdefault(value, set()).update(prompts)
    return values


def _shown(values: Mapping[str, set[str]]) -> str:
    """Print the values of an arm, with hashes cut as in the list of cells; the records have them in full."""
    if len(values) <= _MOST_LISTED:
        return " or ".join(_SHA256.sub(r"\1", value) for value in values)
    prompts = [prompt for of_value in values.values() for prompt in of_value]
    return "one for each prompt" if len(set(prompts)) == len(prompts) == len(values) else f"{len(values)} values"


def _leaves(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and value of what is not a table itself; the name of a part is the value of the part."""
    for name, value in settings.items():
        path = before.removesuffix(".") if before and name == "name" else f"{before}{name}"
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}.")
        else:
            yield path, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read(settings: object) -> dict[str, Any]:
    try:
        found = json.loads(str(settings))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

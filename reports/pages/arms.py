"""The settings of a study's arms: those in which they differ, and those that all share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from reports.frames import ReportFrames
from reports.table import Entry, Row, Table, TableColumn

#: Settings by which the cells of one arm differ, and the arm's own names.
_OF_CELLS: Final = ("label", "method", "prompt_id", "prompt", "seed")
_HYPER_PARAMETERS: Final = "hyper_parameters"

#: Text of each setting by its path.
Settings = dict[str, str]


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
        paths = list(dict.fromkeys(path for settings in known.values() for path in settings))
        varied = [path for path in paths if len({settings.get(path) for settings in known.values()}) > 1]
        caption = (
            "Hyper-parameters and settings in which the arms differ, with the values that they ran with."
            if varied
            else "The arms have the same hyper-parameters and settings.",
            *(["Of imported arms they are not known."] if len(known) < len(methods) else []),
        )
        columns = (
            TableColumn("method", "method", kind="words"),
            TableColumn("settings", "settings", kind="words"),
        )
        rows = []
        for label, method in methods.items():
            own = known.get(label, {})
            listed = "; ".join(f"{path} = {own[path]}" for path in varied if path in own)
            rows.append(Row(label, (Entry(text=method), Entry(text=listed))))
        shared = next(iter(known.values()), {})
        return cls(
            Table("arms", "Arms", caption, "Arm", columns, tuple(rows)),
            tuple((path, text) for path, text in shared.items() if path not in varied),
        )


def _of_arm(cells: pd.DataFrame) -> Settings:
    """Return the settings of an arm's cells; where these differ, as after a change of the code, all values."""
    values: dict[str, dict[str, None]] = {}
    for text in dict.fromkeys(cells["settings"]):
        settings = {name: value for name, value in _read(text).items() if name not in _OF_CELLS}
        own = settings.pop(_HYPER_PARAMETERS, {})  # first, and by their own names, as a study sets them
        for path, value in (*_leaves(own), *_leaves(settings)):
            values.setdefault(path, {})[value] = None
    return {path: " or ".join(own) for path, own in values.items()}


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

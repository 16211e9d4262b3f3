"""The condition of a regression gate, such as ``sdi.clip_score.high < -0.5``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Literal

from bench.errors import InputError
from methods.registry import nearest

Part = Literal["mean", "low", "high"]

_SHAPE: Final = re.compile(
    r"\s*(?P<name>[^\s<>=]+)\s*(?P<sign><=|>=|<|>)\s*(?P<bound>[-+]?\d+(\.\d*)?([eE][-+]?\d+)?)\s*"
)
_SIGNS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PARTS: Final[tuple[Part, ...]] = ("mean", "low", "high")


@dataclass(frozen=True)
class Condition:
    """``[method.]column[.mean|.low|.high] < number``, with ``<``, ``<=``, ``>`` or ``>=``."""

    text: str
    """As the user wrote it."""
    method: str | None
    """Label of the arm; None for every arm, of which one is enough."""
    column: str
    """Value that is compared."""
    part: Part
    """The mean over prompts, or an end of its interval."""
    sign: str
    """Comparison with the bound."""
    bound: float
    """In the unit that the table prints."""

    @property
    def sets_upper_limit(self) -> bool:
        """Whether it holds, and so fails a gate, for values that are too large."""
        return self.sign in {">", ">="}

    def holds(self, value: float) -> bool:
        """Whether it holds for a value of the column."""
        return _SIGNS[self.sign](value, self.bound)


def parse_condition(text: str, *, methods: Collection[str], columns: Collection[str]) -> Condition:
    """Read a condition; labels and columns may have dots in their names.

    Raises:
        InputError: If it is malformed, or names a method or column that there is not.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise InputError(f"--fail-if {text!r}: must be like 'clip_score < -0.5' or 'sdi.clip_score.high < 0'")
    name, part = match["name"], "mean"
    head, _, tail = name.rpartition(".")
    if tail in _PARTS and name not in columns:
        name, part = head, tail
    for column in columns:
        method = name.removesuffix(f".{column}") if name != column else None
        if method is None or method in methods:
            bound = float(match["bound"])
            return Condition(text, method, column, next(p for p in _PARTS if p == part), match["sign"], bound)
    known = [*columns, *(f"{method}.{column}" for method in methods for column in columns)]
    raise InputError(f"--fail-if {text!r}: unknown column {name!r}: {nearest(name, known)}")

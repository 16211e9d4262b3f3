"""Numbers that a command takes, each within the bounds that its annotation names."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from bench.errors import InputError


@dataclass(frozen=True)
class Within:
    """The bounds of a number: ``Annotated[int, Within(1, 512)]``.  Without ``most`` it need only be finite."""

    least: float
    """Least number."""
    most: float = sys.float_info.max
    """Largest number."""
    is_open: bool = False
    """Whether the number must be above the least one."""

    def problem(self, value: float) -> str | None:
        """The end of a message about a number out of the bounds; None if it is within them."""
        if isinstance(value, float) and math.isnan(value):
            return f"must be a number, {self._words}"
        if value <= self.most and (value > self.least if self.is_open else value >= self.least):
            return None
        is_finite = not isinstance(value, float) or math.isfinite(value)
        return f"must be {'' if is_finite else 'finite, '}{self._words}"

    @property
    def _words(self) -> str:
        has_most = self.most < sys.float_info.max
        if self.is_open:
            return f"above {self.least:.15g}" + f" and at most {self.most:.15g}" * has_most
        return f"from {self.least:.15g} to {self.most:.15g}" if has_most else f"at least {self.least:.15g}"


#: A number of things, of which there may be none.
Count = Annotated[int, Within(0, 10**9)]

#: A number of things, of which there must be one.
Positive = Annotated[int, Within(0, 10**9, is_open=True)]

#: Time, for example.
Amount = Annotated[float, Within(0)]


def check_ranges(arguments: object) -> None:
    """Check the numbers of a dataclass of options.

    Raises:
        InputError: If one is outside of the bounds in its annotation; None stands for no number.
    """
    for name, hint in get_type_hints(type(arguments), include_extras=True).items():
        value = getattr(arguments, name)
        bounds = None if value is None else _bounds(hint)
        if bounds is not None and (problem := bounds.problem(value)) is not None:
            raise InputError(f"--{name.replace('_', '-')} = {value!s:.40}: {problem}")


def _bounds(hint: Any) -> Within | None:
    parts = get_args(hint)
    if get_origin(hint) is Annotated:
        return next((part for part in parts[1:] if isinstance(part, Within)), None)
    return next(filter(None, map(_bounds, parts)), None)

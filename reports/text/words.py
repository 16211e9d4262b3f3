"""Numbers and lists as they are written in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from reports.render.printed import number

_NUMBERS: Final = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
#: Decimals of a p-value; smaller ones are printed as a bound.
_P_DECIMALS: Final = 3


class TextError(ValueError):
    """A text says something that its data do not; the message is one line that says what."""


def print_p(value: float | None) -> str:
    """Print a p-value with its sign: ``= 0.012``, ``= 0.23``, ``< 0.001``.

    Raises:
        TextError: If there is none.
    """
    if value is None:
        raise TextError("has no p-value")
    least = 10.0**-_P_DECIMALS
    if value < least:
        return f"< {least:g}"
    return f"= {value:.2f}" if value >= 0.1 else f"= {value:.{_P_DECIMALS}f}"


def least_p(values: Iterable[float | None]) -> str:
    """Print a bound below which no p-value is: ``p ≥ 0.23``."""
    lowest = min(_known(values))
    decimals = 2 if lowest >= 0.1 else _P_DECIMALS
    return f"p ≥ {math.floor(lowest * 10**decimals + 1e-9) / 10**decimals:.{decimals}f}"


def word(count: int) -> str:
    """Write a count as a word, as far as twenty."""
    return _NUMBERS[count] if 0 <= count < len(_NUMBERS) else str(count)


def span(values: Iterable[float], decimals: int = 0) -> str:
    """Print the least and the greatest of some numbers: ``107 to 126``, or one number if they print alike."""
    known = list(values)
    low, high = number(min(known), decimals), number(max(known), decimals)
    return low if low == high else f"{low} to {high}"


def holds(condition: object, what: str) -> str:
    """Check what a sentence says in words, and print nothing.

    Raises:
        TextError: If it is not so.
    """
    if not condition:
        raise TextError(f"it does not hold that {what}")
    return ""


def _known(values: Iterable[float | None]) -> list[float]:
    known = list(values)
    if not known or any(value is None for value in known):
        raise TextError("a bound of p-values needs at least one, and each of them")
    return [value for value in known if value is not None]

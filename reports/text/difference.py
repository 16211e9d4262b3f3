"""A paired difference of two arms as a sentence gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reports.render.printed import number
from reports.statistics import PairedComparison, is_significant
from reports.text.words import TextError, print_p


@dataclass(frozen=True)
class Difference:
    """Arm − other in one score; of a score with a target, the difference of their distances to it.

    The words ``more_by``, ``less_by``, ``nearer_by`` and ``further_by`` each print the size of a difference that has
    this direction, and refuse one that has not, so that a text cannot say the opposite of its data.
    """

    what: str
    """Score and arms, for messages."""
    comparison: PairedComparison
    """The numbers."""
    decimals: int
    """Digits after the point."""
    is_distance: bool
    """Whether it is one of distances to a target."""

    @property
    def value(self) -> float:
        """The mean over prompts."""
        if self.comparison.difference.value is None:
            raise TextError(f"{self.what}: no prompt has both")
        return self.comparison.difference.value

    @property
    def p_value(self) -> float | None:
        """The p-value of this pair alone, or corrected by Holm for the family that was asked for."""
        return self.comparison.test.p if self.comparison.p_holm is None else self.comparison.p_holm

    @property
    def p(self) -> str:
        """The p-value: ``p = 0.012``."""
        return f"p {print_p(self.p_value)}"

    @property
    def interval(self) -> str:
        """The interval with signs: ``[−3.0, +4.8]``."""
        return self._interval(1, signed=True)

    @property
    def signed_by(self) -> str:
        """The difference with its sign: ``+0.4``."""
        return number(self.value, self.decimals, signed=True)

    @property
    def signed(self) -> str:
        """The same with its interval: ``+0.4 [−3.0, +4.8]``."""
        return f"{self.signed_by} {self.interval}"

    @property
    def more_by(self) -> str:
        """Amount by which the arm's score is higher: ``4.4``."""
        return self._size(1, "more", of_distance=False)

    @property
    def less_by(self) -> str:
        """Amount by which it is lower."""
        return self._size(-1, "less", of_distance=False)

    @property
    def nearer_by(self) -> str:
        """Amount by which the arm is nearer to the target."""
        return self._size(-1, "nearer", of_distance=True)

    @property
    def further_by(self) -> str:
        """Amount by which it is further from the target."""
        return self._size(1, "further", of_distance=True)

    @property
    def nearer(self) -> str:
        """Amount by which the arm is nearer to the target, and its interval."""
        return f"{self.nearer_by} {self._interval(-1)}"

    @property
    def is_seen(self) -> bool:
        """Whether p is at most ``ALPHA`` and the interval excludes 0."""
        return is_significant(self.p_value) and self.comparison.difference.interval.contains(0.0) is False

    def _size(self, sign: int, direction: str, *, of_distance: bool) -> str:
        if of_distance != self.is_distance:
            kind = "with" if self.is_distance else "without"
            raise TextError(f"{self.what}: {direction} cannot be said of a score {kind} a target")
        if sign * self.value < 0:
            raise TextError(f"{self.what}: {direction} is said, but the difference is {self.signed_by}")
        return number(sign * self.value, self.decimals)

    def _interval(self, sign: int, *, signed: bool = False) -> str:
        interval = self.comparison.difference.interval
        if interval.low is None or interval.high is None:
            raise TextError(f"{self.what}: has no interval: {interval.reason}")
        bounds = sorted((sign * interval.low, sign * interval.high))
        return f"[{', '.join(number(bound, self.decimals, signed=signed) for bound in bounds)}]"


def seen(differences: Mapping[str, Difference]) -> list[str]:
    """The names of the differences that are seen."""
    return [name for name, difference in differences.items() if difference.is_seen]


def signs(differences: Mapping[str, Difference]) -> list[int]:
    """The signs that some differences have, of −1, 0 and 1: ``[-1]`` if all are negative."""
    return sorted({(each.value > 0) - (each.value < 0) for each in differences.values()})


def sizes(differences: Mapping[str, Difference]) -> list[float]:
    """The differences without their signs."""
    return [abs(each.value) for each in differences.values()]

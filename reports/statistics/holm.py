"""Holm's correction for several tests."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values, in the given order: rejecting all that are at most α gives any false rejection with P ≤ α.

    The k-th smallest of m is multiplied by m − k + 1, none is smaller than one before it, none above 1 (Holm 1979).
    Tests without a p-value (None) remain without one and do not count.
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[index] = largest
    return adjusted

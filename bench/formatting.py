"""Quantities as a person says and reads them."""

from __future__ import annotations

from collections.abc import Sequence


def duration(seconds: float) -> str:
    """``seconds`` as a person says them.

    >>> duration(0.31), duration(42.3), duration(600), duration(9000)
    ('0.3 s', '42 s', '10 min', '2.5 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def gigabytes(count: float) -> str:
    """Bytes as a person reads them.

    >>> gigabytes(19.34e9), gigabytes(2.5e6)
    ('19.3 GB', '2.5 MB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def some_of(names: Sequence[str], most: int = 5) -> str:
    """The first of some names, and the number of the others.

    >>> some_of(["a", "b"]), some_of(["a", "b", "c", "d"], most=2)
    ('a, b', 'a, b and 2 more')
    """
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown

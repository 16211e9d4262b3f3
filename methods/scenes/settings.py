"""The ways in which a scene refuses a setting."""

from __future__ import annotations


class MissingPackageError(ValueError):
    """A setting asks for a package that is not installed; the message says how to install it, or do without."""


def demand(ok: bool, field: str, value: object, right: str) -> None:
    """Refuse a setting unless ``ok``.

    Args:
        ok: Whether the setting can be used.
        field: Its name, as the user wrote it.
        value: What was given.
        right: What would be right, as it follows "is not".

    Raises:
        ValueError: If not ``ok``, in one line with all three.
    """
    if not ok:
        raise ValueError(f"{field}: {value!r} is not {right}")

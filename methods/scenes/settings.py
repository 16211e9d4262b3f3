"""How a setting is refused."""

from __future__ import annotations


class MissingPackageError(ValueError):
    """A setting asks for a package that is not installed; the message says how to install it or avoid it."""


def require(ok: bool, field: str, value: object, right: str) -> None:
    """Refuse a setting unless ``ok``.

    Args:
        ok: Whether the setting can be used.
        field: Its name, as the user wrote it.
        value: The value that was given.
        right: What would be right, as it follows "is not".

    Raises:
        ValueError: If not ``ok``, in one line with all three.
    """
    if not ok:
        raise ValueError(f"{field}: {value!r} is not {right}")

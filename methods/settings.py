"""Checks of settings."""

from __future__ import annotations


class MissingPackageError(ValueError):
    """A setting asks for a package that is not installed; the message says how to install it or avoid it."""


class UnusablePackageError(MissingPackageError):
    """A setting asks for a package that is installed and does not work on this machine; on another one it may."""


def require(ok: bool, field: str, value: object, right: str) -> None:
    """Raise an error about a setting unless ``ok``.

    Args:
        ok: Whether the setting can be used.
        field: Name of the setting, as the user wrote it.
        value: Value of the setting.
        right: The right values, as a phrase that follows "is not".

    Raises:
        ValueError: If not ``ok``, in one line with all three.
    """
    if not ok:
        raise ValueError(f"{field}: {value!r} is not {right}")

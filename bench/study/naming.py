"""Errors about unknown names that say which key of a study has the name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from methods.registry import UnknownNameError

if TYPE_CHECKING:
    from bench.study.study import Study


def missing_package(study: Study) -> str:
    """The end of the line about a name of a run folder that nothing has: there it was known once; "" for a file's."""
    if study.pinned is None:
        return ""
    return "; a package that adds it may be missing: the run's records have those it had, as environment.packages"


@contextmanager
def named_in(study: Study, key: str) -> Iterator[None]:
    """Put the study and its key before the message about a name that nothing has, raised within.

    Raises:
        UnknownNameError, PromptSetError: As within.
    """
    from prompts.errors import PromptSetError  # its package imports torch, which --help must not wait for

    try:
        yield
    except UnknownNameError as error:
        raise UnknownNameError(f"{study.name}: {key}: {error}{missing_package(study)}") from error
    except PromptSetError as error:
        raise PromptSetError(f"{study.name}: {key}: {error}") from error

"""Errors about unknown names that say which key of a study has the name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from methods.registry import UnknownNameError

if TYPE_CHECKING:
    from bench.study.study import Study


@contextmanager
def named_in(study: Study, key: str) -> Iterator[None]:
    """Put the study and its key before the message about a name that nothing has, raised within.

    Raises:
        UnknownNameError, PromptSetError: As within.
    """
    from prompts.errors import PromptSetError  # its package imports torch, which --help must not wait for

    try:
        yield
    except (UnknownNameError, PromptSetError) as error:
        raise type(error)(f"{study.name}: {key}: {error}") from error

"""Parts of a scene that are made from something outside of the study: a file of the user's, or a finished record.

The settings of such a part say where its content is for each prompt.  The harness finds it, takes its SHA-256 into the
identity of each cell in place of where it was found, and checks it before any cell starts.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from methods.scenes.scene import Scene

T = TypeVar("T")

#: Settings of an input that say where its content is.  In a study, they are relative to the study's file.
PLACES = frozenset({"path", "run"})


class Input(ABC):
    """Settings of a part whose content is outside of the study: a frozen dataclass with the fields declared here."""

    sha256: str
    """SHA-256 of the content; the harness fills it in for each cell."""

    @abstractmethod
    def for_cell(self, prompt_id: str, seed: int) -> Self:
        """The settings of the part in one cell."""

    @abstractmethod
    def stand_in(self) -> Any:
        """A part of the same kind without the content, for a scene whose tensors are loaded or do not matter."""


class FileInput(Input):
    """A part that is made from a file, which it reads itself."""

    path: str
    """Absolute path; ``{prompt}`` in it stands for the prompt's id."""

    @abstractmethod
    def check(self) -> None:
        """Read the file as the scene will.

        Raises:
            ValueError: If it cannot be used; the line names field, value and what would be right.
        """


class RecordInput(Input):
    """A part that is made from the scene of a finished record of the same prompt."""

    run: str
    """Absolute path of the run folder."""
    arm: str
    """Label of the arm in that run."""
    seed: int | None
    """Seed of the record; None for the cell's own."""

    @abstractmethod
    def made_from(self, scene: Scene) -> Any:
        """The part, complete.

        Args:
            scene: The scene of the record at the end of its cell, on the CPU.

        Raises:
            ValueError: If the scene cannot be used.
        """


def with_inputs(settings: T, change: Callable[[str, Input], Any], *, where: str = "") -> T:
    """The settings of a scene with another part in the place of each input, at any depth.

    Args:
        settings: A frozen dataclass.
        change: Makes the other part, from the path of the field (``"initialisation"``) and the input.
        where: Beginning of that path.
    """
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]
        value = getattr(settings, field.name)
        if isinstance(value, Input):
            changes[field.name] = change(where + field.name, value)
        elif dataclasses.is_dataclass(value):
            other = with_inputs(value, change, where=f"{where}{field.name}.")
            changes |= {} if other is value else {field.name: other}
    return dataclasses.replace(settings, **changes) if changes else settings  # type: ignore[type-var]

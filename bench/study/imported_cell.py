"""A cell whose images other code has made: known by the bytes of its files, without settings of an optimisation."""

from __future__ import annotations

from functools import cached_property
from typing import Final, Literal

from pydantic import Field, JsonValue

from bench.study.cell import BaseCell, Cell, canonical_sha256

#: Stands in the field ``method`` of a cell that was imported.
IMPORTED: Final = "imported"


class ImportedCell(BaseCell):
    """Renders of one prompt that were made elsewhere."""

    method: Literal["imported"] = IMPORTED
    """Always ``imported``."""
    layout: dict[str, JsonValue]
    """Registered name of the layout that the files were read by, and its settings."""
    sha256: str
    """SHA-256 of the files that the images were made of."""
    has_evaluation_cameras: bool
    """Whether the images are from the cameras of ``evaluation``, so that they can be compared with a known truth."""
    known: dict[str, JsonValue] = Field(default_factory=dict)
    """Facts about the renders that their folder or the user states, such as steps or a seed; none is checked."""

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the files and of how they are read; what is only stated of them is left out."""
        return canonical_sha256(self.model_dump(mode="json", exclude={"known"}))

    @property
    def title(self) -> str:
        """Label of the arm in tables and figures, which mark it as imported."""
        return imported_title(self.label)


#: A cell of either kind.
AnyCell = Cell | ImportedCell


def imported_title(label: str) -> str:
    """Label of an imported arm in tables and figures."""
    return f"{label} (imported)"

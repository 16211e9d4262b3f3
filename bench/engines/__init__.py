"""Engines: where cells are run.  Each starts workers (``bench.engines.work``), which claim cells in the run folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from methods.registry import Registry

if TYPE_CHECKING:  # they import torch, which the options on the command line need not wait for
    from bench.engines.options import EngineOptions
    from bench.records.store import RunStore
    from bench.study.cell import Cell
    from bench.study.study import Study


class Engine(Protocol):
    """Runs cells of a study in its own way.

    One with an attribute ``check`` has that called with study and options before anything in the run folder changes; it
    raises InputError if the study cannot run in this way.
    """

    def __call__(self, study: Study, cells: Sequence[Cell], store: RunStore, options: EngineOptions, /) -> None:
        """Run the cells until each has a record in the store, or the failures are too many."""
        ...


engines: Registry[Engine] = Registry("engine", "bench.engines")

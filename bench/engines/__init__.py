"""Engines: where cells are run.  Each starts workers (``bench.engines.work``), which claim cells in the run folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from methods.registry import Registry

if TYPE_CHECKING:  # they import torch, which the options on the command line need not wait for
    from bench.engines.options import EngineOptions
    from bench.records.store import RunStore
    from bench.study.cell import Cell
    from bench.study.study import Study


class Engine(ABC):
    """A way to run cells of a study."""

    def check(self, study: Study, options: EngineOptions) -> None:
        """Check that the study can run in this way, before anything in the run folder changes.

        Raises:
            InputError: If it cannot.
        """
        return

    @abstractmethod
    def run(self, study: Study, cells: Sequence[Cell], store: RunStore, options: EngineOptions) -> None:
        """Run the cells until each has a record in the store, or the failures are too many."""


engines: Registry[type[Engine]] = Registry("engine", "bench.engines")

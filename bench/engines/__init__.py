"""Engines: where cells are run.  Each starts workers (``bench.engines.work``), which claim cells in the run folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from methods.registry import RegistrationError, Registry

if TYPE_CHECKING:  # they import torch, which the options on the command line need not wait for
    from bench.engines.options import EngineOptions
    from bench.records.store import RunStore
    from bench.study.cell import Cell
    from bench.study.study import Study


class Engine(ABC):
    """A way to run cells of a study."""

    def check(self, study: Study, options: EngineOptions) -> None:
        """Check that the study can run in this way, before records are set aside and cells are run.

        Raises:
            InputError: If it cannot.
        """
        return

    @abstractmethod
    def run(self, study: Study, cells: Sequence[Cell], store: RunStore, options: EngineOptions) -> None:
        """Run the cells until each has a record in the store, or the failures are too many."""


class EngineRegistry(Registry[type[Engine]]):
    """Engines by name."""

    def _check(self, name: str, thing: type[Engine]) -> None:
        if not (isinstance(thing, type) and issubclass(thing, Engine)):
            name_of = getattr(thing, "__qualname__", repr(thing))
            raise RegistrationError(f"engine {name!r}: {name_of} is not a class derived from bench.engines.Engine")


engines = EngineRegistry("engine", "bench.engines")

"""Engines: where cells are run.  Each starts workers (``bench.engines.work``), which claim cells in the run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.engine_options import EngineOptions
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.study import Study
from methods.registry import Registry

#: Runs the given cells of a study until each has a record in the store, or the failures are too many.
Engine = Callable[[Study, Sequence[Cell], RunStore, EngineOptions], None]

engines: Registry[Engine] = Registry("engine", "bench.engines")

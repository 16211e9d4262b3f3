"""Engines: where cells are run.  Each is a thin adapter around ``bench.run_cell``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console

from bench.cell import Cell
from bench.store import RunStore
from bench.study import Study
from methods.registry import Registry

#: Runs the given cells of a study and writes their records into the store.
Engine = Callable[[Study, Sequence[Cell], RunStore, Console], None]

engines: Registry[Engine] = Registry("engine", "bench.engines")

"""What it takes to look at a large finished run: ``plan``, ``run`` with nothing to do, and a report's data.

Time and the peak of resident memory, each in a process of its own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import bench

ROOT = Path(bench.__file__).parents[1]

#: Prints seconds and bytes as JSON.  The time of importing torch is printed separately: no run makes it longer.  Its
#: memory is not counted: the part that is mapped from the libraries' files differs by 0.1 GB between installations.
MEASURE = """
import time
start = time.perf_counter()
import io, json, sys
from pathlib import Path
from rich.console import Console
import bench.commands.plan, bench.commands.report, bench.commands.run
from bench.study.expand import expand
from bench.scores.frames import build_frames
from bench.records.store import RunStore

what, folder = sys.argv[1:]
imported, imported_cpu = time.perf_counter() - start, time.process_time()

def resident(which):  # not getrusage, whose peak begins with that of the process that started this one
    [found] = [int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(which)]
    return found

base, frame_bytes = resident("VmRSS"), 0
store, console = RunStore(Path(folder)), Console(file=io.StringIO(), width=200)
study = store.read_study()
match what:
    case "plan":
        bench.commands.plan.print_plan(study, store, console)
        assert "CPU-hours" in console.file.getvalue()
    case "run":
        bench.commands.run.run_study(study, store, console, budget_hours=24.0)
        assert ", 0 to run" in console.file.getvalue()
    case "load":
        records = store.read_all(expand(study))
        frames = build_frames(records, study.chosen_prompts(), store)
        assert len(frames.events) == 200 * len(frames.cells)
        tables = (frames.cells, frames.scores, frames.events, frames.views)
        frame_bytes = int(sum(table.memory_usage(deep=True).sum() for table in tables))
seconds, cpu_seconds = time.perf_counter() - start - imported, time.process_time() - imported_cpu
peak = resident("VmHWM") - base
print(json.dumps(dict(
    imports=imported, seconds=seconds, cpu_seconds=cpu_seconds, peak_bytes=peak, frame_bytes=frame_bytes
)))
"""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc"),
]


class Measured(NamedTuple):
    imports: float
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    frame_bytes: int


def _measure(what: str, folder: Path) -> Measured:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", MEASURE, what, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="session")
def write_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Path]]:
    """Writes a finished run of so many cells, once; they are removed at the end, for they have many files."""
    path = Path(__file__).with_name("many_cells.py")
    spec = importlib.util.spec_from_file_location("many_cells", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    home = tmp_path_factory.mktemp("many")

    def write(count: int) -> Path:
        folder = home / str(count)
        if not folder.exists():
            module.write_finished_run(folder, count)
        return folder

    yield write
    shutil.rmtree(home)


def test_what_a_further_cell_costs(write_run: Callable[[int], Path]) -> None:
    """By the difference of two runs: about twice what an idle core takes for 10 000, half of what it once took.

    Loading for a report does everything that ``plan`` and ``run`` do, and more.
    """
    few, more = (_measure("load", write_run(count)) for count in (100, 300))
    assert (more.cpu_seconds - few.cpu_seconds) / 200 * 10_000 <= 30  # of the processor: others may share it
    assert (more.frame_bytes - few.frame_bytes) / 200 <= 40_000  # of a cell's 200 steps, 24 views and 312 scores


@pytest.mark.benchmark(group="ten thousand cells")
@pytest.mark.parametrize("what", ["plan", "run", "load", "load again"])  # the first load parses what scoring would have
def test_ten_thousand_finished_cells(benchmark, write_run: Callable[[int], Path], what: str) -> None:
    folder = write_run(10_000)
    measured = benchmark.pedantic(_measure, args=(what.split(maxsplit=1)[0], folder), rounds=1)
    benchmark.extra_info.update(measured._asdict())
    assert measured.peak_bytes <= 0.58e9  # with the imports, which take at least 0.42, 1 GB
    assert measured.seconds <= 10

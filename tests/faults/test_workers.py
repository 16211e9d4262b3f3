"""Four workers on one folder, one of them killed every few seconds: all cells end once, to the same bits."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from bench.engines.local import Local
from bench.engines.options import EngineOptions
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.study import parse_study

KILLS = 6
SECONDS_BETWEEN_KILLS, SECONDS_BETWEEN_LOOKS = 2.0, 0.1

STUDY = {
    "name": "tiny",
    "title": "Tiny",
    "prior": "gaussian",
    "scorers": "toybox",
    "prompts": "toybox",
    "prompt_ids": ["blue-duck", "red-striped-car", "yellow-robot", "green-mug"],
    "seeds": [0, 1],
    "steps": 50,
    "metrics": ["ground_truth"],
    "baseline": "sds",
    "threads": 1,
    "checkpoint_seconds": 0.0,
    "scene": {
        "name": "nerf",
        "marching": {"name": "occupancy", "samples": 14},
        "encoding": {"name": "dense_grid", "resolutions": [8, 16]},
    },
    "render": {"resolution": 8},
    "evaluation": {"views": 3, "resolution": 8},
    "methods": {"sds": {}, "sdi": {}},
}


@pytest.mark.faults
def test_all_cells_end_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = parse_study(STUDY, where="the test's study")
    cells = expand(study)
    alone, together = RunStore(tmp_path / "alone"), RunStore(tmp_path / "together")
    Local().run(study, cells, alone, EngineOptions())
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        draw, wait = np.random.default_rng(0), SECONDS_BETWEEN_LOOKS
        while len(killed) < KILLS and not over.wait(wait):
            wait = SECONDS_BETWEEN_LOOKS  # on a fast machine all cells end within seconds of the first step
            found = [together.attempts(cell).read() for cell in cells]
            numbers = [int(attempts.worker.partition(":")[2]) for attempts in found if attempts.step]
            at_work = [number for number in numbers if number not in killed]
            if at_work:
                wait = SECONDS_BETWEEN_KILLS
                killed.append(int(draw.choice(at_work)))
                with suppress(ProcessLookupError):
                    os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    Local().run(study, cells, together, EngineOptions(workers=4))
    over.set()
    killer.join()
    records = [record for cell in cells if (record := together.read(cell))]
    attempts = sum(record.attempts for record in records)
    with capsys.disabled():
        print(f"\n{len(killed)} workers killed, {attempts} attempts at {len(cells)} cells")  # noqa: T201
    assert len(records) == len(together.finished()) == len(cells) == 16
    assert killed
    assert len(cells) < attempts <= len(cells) + len(killed)
    for record in records:
        assert together.log(record.cell).read_text().count("== attempt") == record.attempts
    assert _scenes(together) == _scenes(alone)


def _scenes(store: RunStore) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in store.folder.glob("cells/*/scene.safetensors")}

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from bench.plan import print_plan
from bench.store import RunStore
from bench.study import Study


def _lines(study: Study, store: RunStore) -> list[list[str]]:
    console = Console(file=io.StringIO(), width=200)
    print_plan(study, store, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return [[word.strip() for word in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]


def test_a_plan_of_nothing_done_times_steps_and_writes_nothing(study: Study, tmp_path: Path) -> None:
    sds, sdi, total = _lines(study, RunStore(tmp_path / "run"))
    assert (sds[:4], sdi[:4], total[:4]) == (["sds", "2", "0", "2"], ["sdi", "2", "0", "2"], ["all", "4", "0", "4"])
    assert sds[-1] == "timed steps"
    assert sds[6].endswith(" GiB")
    assert not (tmp_path / "run").exists()


def test_a_plan_of_a_finished_run_is_from_its_records(study: Study, finished: RunStore) -> None:
    sds, _sdi, total = _lines(study, finished)
    assert sds[:4] == ["sds", "2", "2", "0"]
    assert sds[-1] == "2 records"
    assert total[5] == "0.0 s"

from __future__ import annotations

import io
from pathlib import Path

import torch
from rich.console import Console

from bench.engines.local import run_local, torch_settings
from bench.expand import expand
from bench.store import RunStore
from bench.study import Study


def test_torch_settings_are_restored() -> None:
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch_settings(threads + 1):
        assert torch.get_num_threads() == threads + 1
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == threads
    assert torch.are_deterministic_algorithms_enabled() == deterministic


def test_records_say_how_they_were_run(study: Study, tmp_path: Path, console: Console) -> None:
    store = RunStore(tmp_path)
    [cell, *_] = expand(study)
    run_local(study, [cell], store, console)
    record = store.read(cell)
    assert record is not None
    assert record.environment.deterministic
    assert record.environment.threads == study.threads


def test_a_terminal_shows_the_step_at_hand_and_a_line_for_each_cell(study: Study, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=160)
    run_local(study, expand(study)[:2], RunStore(tmp_path), console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[2/2] sdi · blue-duck · seed 0: completed" in shown
    assert "step 4/4 · loss" in shown

"""Several imported arms of one study."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from foreign_renders import write_frames
from rich.console import Console

from bench.errors import InputError
from bench.imports.import_arms import import_arms
from bench.records.store import RunStore
from bench.study.study import load_study


def test_an_arm_that_cannot_be_read_stops_no_other(study_file: Path) -> None:
    for label in ("bad", "mine"):
        write_frames(study_file.parent / label / "blue-duck")
    (study_file.parent / "bad/blue-duck/1.png").write_bytes(b"no image")
    arms = "".join(f'[methods.{x}]\nrenders = {{ name = "frames", folder = "{x}" }}\n' for x in ("bad", "mine"))
    study_file.write_text(study_file.read_text() + arms)
    store = RunStore(study_file.parent / "run")
    with pytest.raises(InputError, match=r"bad/blue-duck/1\.png"):
        import_arms(load_study(study_file), store, Console(quiet=True))
    assert list(json.loads((store.folder / "study.json").read_text())["pinned"]["imports"]) == ["mine"]
    assert [folder.name.split("--")[0] for folder in store.record_folders()] == ["mine"]

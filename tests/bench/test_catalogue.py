from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

import methods.priors
from bench.catalogue import KINDS, list_kind, run_doctor

EXPECTED = {
    "methods": "sdi",
    "metrics": "clip_score",
    "prompts": "toybox",
    "studies": "quick",
    "priors": "gaussian",
    "scenes": "nerf",
    "encodings": "dense_grid",
    "engines": "local",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_listed(kind: str) -> None:
    console = Console(file=io.StringIO(), width=200)
    list_kind(kind, console)
    assert EXPECTED[kind] in console.file.getvalue()  # type: ignore[attr-defined]


def test_doctor_tells_of_weights_that_are_not_the_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(methods.priors._WEIGHTS / "toybox", tmp_path / "toybox")
    with (tmp_path / "toybox" / "tokenizer" / "merges.txt").open("a") as file:
        file.write("x")
    monkeypatch.setattr(methods.priors, "_WEIGHTS", tmp_path)
    console = Console(file=io.StringIO(), width=400)
    assert run_doctor(console) is False
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "merges.txt: SHA-256 is" in told
    assert "but card.json says" in told

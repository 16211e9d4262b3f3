from __future__ import annotations

import io

import pytest
from rich.console import Console

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


def test_doctor_tells_of_weights_that_are_not_the_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    import methods.weights

    def wrong(folder: object) -> str:
        raise methods.weights.WeightsError("model.safetensors: SHA-256 is 0…, but card.json says 1…")

    monkeypatch.setattr(methods.weights, "verified_weights", wrong)
    console = Console(file=io.StringIO(), width=200)
    assert run_doctor(console) is False
    assert "but card.json says 1…" in console.file.getvalue()  # type: ignore[attr-defined]

from __future__ import annotations

import io

import pytest
from rich.console import Console

from bench.commands.list import KINDS, REGISTRIES, list_kind, registry_of_kind
from methods.card import MethodCard, card_of
from methods.distillation import methods as registry
from methods.registry import _BY_BASE

EXPECTED = {
    "methods": "sdi",
    "metrics": "clip_score",
    "prompts": "toybox",
    "studies": "quick",
    "priors": "gaussian",
    "strategies": "ddim",
    "materials": "point_light",
    "backgrounds": "environment_map",
    "scenes": "nerf",
    "schedules": "warm_up",
    "marchings": "occupancy",
    "encodings": "dense_grid",
    "rasterisers": "torch",
    "initialisations": "record",
    "density": "unchanged",
    "controls": "other_prompt",
    "layouts": "threestudio",
    "engines": "local",
    "suites": "clip_l14",
    "keys": "evaluation.views",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_listed(kind: str) -> None:
    console = Console(file=io.StringIO(), width=200)
    list_kind(kind, console)
    assert EXPECTED[kind] in console.file.getvalue()  # type: ignore[attr-defined]


def test_every_part_that_a_study_chooses_by_name_is_listed() -> None:
    for kind in REGISTRIES:
        registry_of_kind(kind)
    listed = [registry_of_kind(kind) for kind in REGISTRIES]
    ours = {base: registry for base, registry in _BY_BASE.items() if base.__module__.startswith("methods.")}
    assert [registry.kind for registry in ours.values() if registry not in listed] == []


def test_methods_are_listed_with_paper_weighting_and_guidance(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another package brings is listed too: with the card it brings, or as having none."""

    def methods_listed() -> str:
        console = Console(file=io.StringIO(), width=400)
        list_kind("methods", console)
        return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]

    own = methods_listed()
    assert "paper  DreamFusion: Text-to-3D using 2D Diffusion (Poole et al. 2022, arXiv 2209.14988)" in own
    assert "w(t)   λ·√((1 − ᾱ_t)/ᾱ_t)" in own
    assert "CFG    ε_∅ + s·(ε_y − ε_∅); s = 100 " in own
    assert "no card" not in own
    assert own.count("w(t)   ") == own.count("CFG    ") == own.count("paper  ") == len(registry.names())

    card = card_of("sds", registry["sds"])
    assert card is not None
    sds = MethodCard.model_validate(card.model_dump() | {"weighting": "σ_t of [another] package"})
    monkeypatch.setitem(registry._found, "copied", type("Copied", (), {"__doc__": "Copied.", "card": sds}))
    monkeypatch.setitem(registry._found, "plain", type("Plain", (), {"__doc__": "Has a [bracket]."}))
    lines = [line.strip("│ ").replace("│", "").split() for line in methods_listed().splitlines()]
    assert ["plain", "Has", "a", "[bracket]."] in lines
    assert ["no", "card"] in lines
    assert ["w(t)", "σ_t", "of", "[another]", "package"] in lines

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from bench.commands.list import KINDS
from bench.commands.show import field_docs, show
from bench.errors import InputError
from methods.card import card_of
from methods.distillation import methods
from methods.distillation.esd import ESD


def shown(name: str) -> str:
    console = Console(file=io.StringIO(), width=400)
    show(name, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_listed_is_shown(kind: str) -> None:
    name, _ = next(iter(KINDS[kind]()))
    assert f"{name} ({kind})" in shown(name)


@pytest.mark.parametrize("name", methods.names())
def test_a_method_is_shown_with_its_whole_card(name: str) -> None:
    """Above all what is known not to match, which no list has."""
    text, card = " ".join(shown(name).split()), card_of(name, methods[name])
    assert card is not None
    for difference in card.differences:
        assert " ".join(difference.split())[:60] in text
    assert " ".join(card.update.split())[:40] in text
    for field in dataclasses.fields(methods[name]):
        assert field.name in text


def test_fields_have_the_docstring_behind_them_those_of_a_base_too() -> None:
    documented = field_docs(ESD)
    assert documented["lora_guidance_scale"].startswith("s_φ (``system.guidance")
    assert documented["lora_rank"].startswith("Rank of the adapters")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown name 'quikc': did you mean quick"):
        show("quikc", Console(file=io.StringIO()))

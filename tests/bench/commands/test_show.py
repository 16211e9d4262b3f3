from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from bench.commands.documented import field_docs, plain
from bench.commands.list import KINDS
from bench.commands.show import show
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
    for name in dict.fromkeys(name for name, _ in KINDS[kind]()):
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


def test_a_part_is_shown_as_a_study_has_it_with_the_others_that_can_be_chosen() -> None:
    lines = [" ".join(line.replace("│", " ").split()) for line in shown("gaussians").splitlines()]
    [start] = [line for line in lines if line.startswith("initialisation = ")]
    assert start.startswith('initialisation = { name = "ball", radius = 0.5 } ')
    assert start.endswith("One of ball, blob, points, record.")
    assert any(line.startswith('rasteriser = { name = "torch" } ') for line in lines)
    lines = [" ".join(line.replace("│", " ").split()) for line in shown("nerf").splitlines()]
    assert any(line.startswith("blob.scale = 10.0 Density before the softplus") for line in lines)
    assert any(line.startswith("penalties.orient = 0.0 Weight of normals") for line in lines)
    [encoding] = [line for line in lines if line.startswith("encoding = ")]
    assert 'name = "dense_grid", resolutions = [16, 32, 64]' in encoding
    assert "hash_grid" in encoding


def test_texts_are_shown_without_the_marks_of_a_docstring() -> None:
    assert plain("One :meth:`~a.b.run` of ``x``, by `y`.") == "One a.b.run of x, by `y`."
    assert "``" not in shown("gaussians") + shown("nerf") + shown("clip_l14")


def test_a_default_inside_a_part_is_that_of_the_part() -> None:
    """A method's schedule has other bounds than the schedule's own defaults."""
    lines = [" ".join(line.replace("│", " ").split()) for line in shown("sdi").splitlines()]
    assert any(line.startswith('schedule = { name = "linear", low = 0.2, high = 1.0') for line in lines)


def test_a_kind_of_pipeline_is_shown_with_what_it_needs() -> None:
    lines = [" ".join(line.replace("│", " ").split()) for line in shown("FluxPipeline").splitlines()]
    assert "transformer is FluxTransformer2DModel" in lines
    assert any(line.startswith("description FLUX.1 dev and schnell") for line in lines)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown name 'quikc': did you mean quick"):
        show("quikc", Console(file=io.StringIO()))

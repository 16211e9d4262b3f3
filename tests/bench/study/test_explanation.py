from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from bench.study.explanation import explain, keys_of
from bench.study.figure_settings import FigureSettings
from bench.study.section import Section
from bench.study.settings import RenderSettings


class Whole(Section):
    steps: int
    seeds: int = 0
    name: str = ""
    scale: int | float = 1
    words: tuple[str, ...] = ()
    ids: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)
    figures: tuple[FigureSettings, ...] = ()
    render: RenderSettings = RenderSettings()


def _line(fields: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate_json(json.dumps(fields))
    return explain(caught.value, fields, Whole, {"name"})


FIGURE = {"kind": "arms", "title": "T", "metrics": ["psnr"]}


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"stesp": 3}, "unknown key 'stesp': did you mean steps, seeds?"),
        ({"x": 3}, "unknown key 'x': known: figures, ids, render, scale, seeds, steps, words (and 1 more)"),
        ({"stesp": 3, "seeds": "0"}, "unknown key 'stesp': did you mean steps, seeds? (and 1 more)"),
        ({"steps": 1, "figures": [{**FIGURE, "nme": "a"}]}, "unknown key 'figures.0.nme': did you mean name?"),
        ({"steps": 1, "scale": "x"}, "scale = 'x': input should be a valid integer"),
        ({"steps": "1", "scale": "x"}, "steps = '1': input should be a valid integer (and 1 more)"),
        ({"steps": 1, "words": ["a", 3, 4]}, "words.1 = 3: input should be a valid string (and 1 more)"),
        ({"steps": 1, "ids": ["x"]}, "ids.0 = 'x': input should be a valid integer"),  # nor is its list too short
        ({"steps": 1, "ids": []}, "ids = []: must have at least 1 value"),
        ({}, "the key 'steps' is missing"),
        (
            {"figures": [{"name": "a", "kind": "arms"}, FIGURE]},
            "the keys 'steps', 'figures.0.title' and 'figures.1.name' are missing",
        ),
        ({"figures": [FIGURE], "words": 3}, "the keys 'steps' and 'figures.0.name' are missing (and 1 more)"),
    ],
)
def test_each_mistake_counts_once(fields: dict[str, Any], line: str) -> None:
    assert _line(fields) == line


def test_keys_of_a_table_are_found_below_lists() -> None:
    assert keys_of(Whole, {"name"}) == ["steps", "seeds", "scale", "words", "ids", "figures", "render"]
    assert keys_of(Whole, {"name"}, ["figures", "0"]) == list(FigureSettings.model_fields)
    assert keys_of(Whole, {"name"}, ["render"]) == ["resolution", "background"]

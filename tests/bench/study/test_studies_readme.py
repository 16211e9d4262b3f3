"""The README of the studies names every key, and its examples are studies."""

from __future__ import annotations

import re
import tomllib
from typing import get_args

import pytest

from bench.study.figure_settings import FigureSettings
from bench.study.study import STUDIES, Handling, Study, load_study, parse_study

README = (STUDIES / "README.md").read_text(encoding="utf-8")
KEYS, HANDLING = re.search(r"## Keys(.*?)These may change(.*?)## Arms", README, flags=re.DOTALL).groups()


def _keys(text: str) -> set[str]:
    """The names in the first column of the tables."""
    return {
        name
        for row in re.findall(r"^\|([^|]*)\|", text, flags=re.MULTILINE)
        for name in re.findall(r"`\[?(\w+)\]?`", row)
    }


def test_every_key_is_in_its_table() -> None:
    assert _keys(HANDLING) == set(Handling.model_fields)
    assert _keys(KEYS) == set(Study.model_fields) - set(Handling.model_fields) - {"name", "pinned"}


def test_the_tables_say_which_keys_are_required() -> None:
    rows = [row for row in (KEYS + HANDLING).splitlines() if "required" in row]
    required = {name for name, field in Study.model_fields.items() if field.is_required()} - {"name"}
    assert all(_keys(row) & required for row in rows)
    assert required <= set().union(*map(_keys, rows))


def test_every_kind_of_figure_is_in_the_table() -> None:
    assert _keys(README.split("## Figures")[1].split("## ")[0]) == set(
        get_args(FigureSettings.model_fields["kind"].annotation)
    )


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL))
def test_the_examples_are_parts_of_a_study(study: Study, example: str) -> None:
    fields = study.model_dump(mode="json") | {"baseline": "sds"} | tomllib.loads(example)
    if (base := fields.pop("extends", None)) is not None:
        load_study(base)
    for label in parse_study(fields, where="").methods:
        parse_study(fields, where="").of_arm(label)

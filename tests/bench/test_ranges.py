from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, get_args, get_type_hints

import pytest

from bench.cli import Command
from bench.engines.options import EngineOptions
from bench.errors import InputError
from bench.ranges import Amount, Count, Positive, Within, check_ranges

#: Numbers that the study checks, whose files give them too.
OF_THE_STUDY = {"steps"}


@dataclass
class Options:
    count: Count = 0
    positive: Positive | None = None
    amount: Amount = 0.0
    share: Annotated[float, Within(0, 1, is_open=True)] = 1.0
    name: str = ""


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("count", -1, "= -1: must be from 0 to 1000000000"),
        ("count", 10**30, f"= {10**30}: must be from 0 to 1000000000"),
        ("count", 10**400, f"= {str(10**400)[:40]}: must be from 0 to 1000000000"),
        ("positive", 0, "= 0: must be above 0 and at most 1000000000"),
        ("amount", -0.5, "= -0.5: must be at least 0"),
        ("amount", math.nan, "= nan: must be a number, at least 0"),
        ("amount", math.inf, "= inf: must be finite, at least 0"),
        ("amount", -math.inf, "= -inf: must be finite, at least 0"),
        ("share", 0.0, "= 0.0: must be above 0 and at most 1"),
        ("share", 1.5, "= 1.5: must be above 0 and at most 1"),
    ],
)
def test_a_number_out_of_its_bounds_is_one_line(name: str, value: float, problem: str) -> None:
    with pytest.raises(InputError, match=f"^--{name} {re.escape(problem)}$"):
        check_ranges(Options(**{name: value}))  # type: ignore[arg-type]


def test_numbers_within_their_bounds_pass() -> None:
    for options in (Options(), Options(10**9, 1, 1e300, 1e-300), Options(positive=10**9)):
        check_ranges(options)


@pytest.mark.parametrize("options", [*(get_args(part)[0] for part in get_args(Command)), EngineOptions])
def test_every_number_of_a_command_has_bounds(options: type) -> None:
    """Each is refused as -1 and as not a number."""
    plain = get_type_hints(options)
    for name, hint in get_type_hints(options, include_extras=True).items():
        types = {plain[name], *get_args(plain[name])}
        if types & {int, float} and tuple not in {getattr(kind, "__origin__", None) for kind in types}:
            assert "Within(" in str(hint) or name in OF_THE_STUDY, f"{options.__name__}.{name}"

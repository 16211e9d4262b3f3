from __future__ import annotations

import pytest

from bench.commands.condition import Condition, parse_condition
from bench.errors import InputError

METHODS = ["sds", "sdi", "sdi-0.5", "sdi.high"]
COLUMNS = ["clip_score", "pyiqa:musiq", "optimise_seconds", "score.v2"]


def _parse(text: str) -> Condition:
    return parse_condition(text, methods=METHODS, columns=COLUMNS)


@pytest.mark.parametrize(
    ("text", "method", "column", "part", "sign", "bound"),
    [
        ("clip_score < -0.5", None, "clip_score", "mean", "<", -0.5),
        ("clip_score<-.5e0".replace("-.5", "-0.5"), None, "clip_score", "mean", "<", -0.5),
        (" sdi.clip_score.high <= 0 ", "sdi", "clip_score", "high", "<=", 0.0),
        ("clip_score.low>=1e-3", None, "clip_score", "low", ">=", 1e-3),
        ("clip_score.mean > +2.", None, "clip_score", "mean", ">", 2.0),
        ("sdi-0.5.optimise_seconds > 1.1", "sdi-0.5", "optimise_seconds", "mean", ">", 1.1),
        ("sdi.high.pyiqa:musiq.low < 3", "sdi.high", "pyiqa:musiq", "low", "<", 3.0),
        ("sds.score.v2 < 3", "sds", "score.v2", "mean", "<", 3.0),
    ],
)
def test_what_a_condition_says(text: str, method: str | None, column: str, part: str, sign: str, bound: float) -> None:
    found = _parse(text)
    assert (found.method, found.column, found.part, found.sign, found.bound) == (method, column, part, sign, bound)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must be like"),
        ("clip_score", "must be like"),
        ("clip_score < nan", "must be like"),
        ("clip_score < inf", "must be like"),
        ("clip_score == 0", "must be like"),
        ("0 > clip_score", "must be like"),
        ("clip_score < 1 or 1 < 2", "must be like"),
        ("__import__('os').system('x') < 1", "unknown column .*did you mean|unknown column"),
        ("clip_scor < 1", "unknown column 'clip_scor': did you mean clip_score"),
        ("sdj.clip_score < 1", "unknown column 'sdj.clip_score': did you mean sd"),
        ("clip_score.median < 1", "unknown column"),
        (".clip_score < 1", "unknown column"),
    ],
)
def test_a_condition_that_cannot_be_read_is_told(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _parse(text)


def test_signs() -> None:
    values = (-1.0, 0.0, 1.0)
    expected = {"<": [True, False, False], "<=": [True, True, False], ">": [False, False, True]}
    expected[">="] = [False, True, True]
    for sign, right in expected.items():
        condition = _parse(f"clip_score {sign} 0")
        assert [condition.holds(value) for value in values] == right

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from bench.errors import InputError
from bench.study.resolve import resolve_settings


@dataclass(frozen=True)
class Method:
    scale: float
    bounds: tuple[float, float] = (0.0, 1.0)
    count: int = 3


class Scene:
    def __init__(self, *, radius: float = 1.0, init: torch.Generator) -> None: ...


def test_defaults_are_filled_in_and_types_restored() -> None:
    assert resolve_settings(Method, {"scale": 2, "bounds": [0.2, 0.5]}, where="x") == {
        "scale": 2.0, "bounds": (0.2, 0.5), "count": 3,
    }  # fmt: skip


def test_init_is_no_setting() -> None:
    assert resolve_settings(Scene, {}, where="scene") == {"radius": 1.0}
    with pytest.raises(InputError, match="unknown key 'init'"):
        resolve_settings(Scene, {"init": 0}, where="scene")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "m: the key 'scale' is missing"),
        ({"scale": 1.0, "cuont": 3}, "m: unknown key 'cuont': did you mean count?"),
        ({"scale": "high"}, "m.scale = 'high': input should be a valid number"),
        ({"scale": True}, "m.scale = True: must be a number"),
        ({"scale": 1.0, "count": 1.5}, "m.count = 1.5: input should be a valid integer"),
        ({"scale": 1.0, "bounds": [0.1]}, r"m.bounds = \[0.1\]: field required"),
        ({"scale": float("nan")}, "m.scale = nan: input should be a finite number"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_settings(Method, given, where="m")

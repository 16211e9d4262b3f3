from __future__ import annotations

import pytest

from bench.study.naming import named_in
from bench.study.study import load_study
from methods.registry import UnknownNameError
from prompts.errors import PromptSetError


@pytest.mark.parametrize("kind", [UnknownNameError, PromptSetError])
def test_an_unknown_name_is_that_of_a_key(kind: type[Exception]) -> None:
    study = load_study("quick")
    with pytest.raises(kind, match=r"^quick: metrics: unknown thing .x.$") as caught, named_in(study, "metrics"):
        raise kind("unknown thing 'x'")
    assert str(caught.value.__cause__) == "unknown thing 'x'"


def test_another_error_stays_as_it_is() -> None:
    with pytest.raises(ValueError, match=r"^other$"), named_in(load_study("quick"), "metrics"):
        raise ValueError("other")

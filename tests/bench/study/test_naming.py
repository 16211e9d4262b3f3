from __future__ import annotations

import pytest

from bench.study.naming import named_in
from bench.study.pinning import pin
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


def test_a_name_that_the_run_once_knew_may_be_of_a_package_that_is_missing() -> None:
    study = pin(load_study("quick"))
    hint = r"; a package that adds it may be missing: the run's records have those it had, as environment\.packages$"
    with (
        pytest.raises(UnknownNameError, match=rf"^quick: controls: unknown control .*{hint}"),
        named_in(study, "controls"),
    ):
        raise UnknownNameError("unknown control 'mirror': known: blank")
    with pytest.raises(PromptSetError, match=r"^quick: prompts: unknown$"), named_in(study, "prompts"):
        raise PromptSetError("unknown")

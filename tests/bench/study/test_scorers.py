from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import InputError
from bench.study.expand import expand
from bench.study.scorers import check_metrics, study_suite
from bench.study.study import Study, load_study, parse_study
from methods.registry import RegistrationError, UnknownNameError
from methods.weights import WeightsMissingError
from metrics import MetricRegistry, metrics


def _without_scorers(study: Study, prior: str) -> Study:
    return parse_study(study.model_dump(mode="json") | {"prior": prior, "scorers": None}, where="here")


def test_a_misspelt_prior_is_not_an_unknown_suite(study: Study) -> None:
    with pytest.raises(UnknownNameError, match=r"^tiny: prior: unknown prior 'toyboks': did you mean toybox"):
        expand(_without_scorers(study, "toyboks"))


def test_a_prior_without_a_suite_asks_for_one(study: Study) -> None:
    for prior in ("somebody/a-model", "gaussian"):
        with pytest.raises(InputError) as caught:
            study_suite(_without_scorers(study, prior))
        assert str(caught.value).startswith(
            f"tiny: the key 'scorers' is missing: the prior {prior!r} has no suite of its own; known: "
        )


def test_a_path_with_nothing_there_is_named(study: Study, tmp_path: Path) -> None:
    with pytest.raises(WeightsMissingError, match="nowhere"):
        study_suite(_without_scorers(study, str(tmp_path / "nowhere")))


def test_a_misspelt_suite_is_named(study: Study) -> None:
    with pytest.raises(
        UnknownNameError, match=r"^tiny: scorers: unknown suite of models 'toyboks': did you mean toybox"
    ):
        study_suite(study.model_copy(update={"scorers": "toyboks"}))
    assert study_suite(study).name == study_suite(load_study("quick")).name == "toybox"


def test_two_metrics_with_a_column_of_one_name_are_refused(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    both = study.model_copy(update={"metrics": ("clip_score", "saturation")})
    check_metrics(both)
    monkeypatch.setattr(metrics["saturation"], "columns", metrics["clip_score"].columns)
    with pytest.raises(InputError, match="tiny: metrics: clip_score and saturation both have a column 'clip_score'"):
        check_metrics(both)


def test_a_column_with_a_name_of_the_tables_is_refused(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    (column,) = metrics["clip_score"].columns
    monkeypatch.setattr(metrics["clip_score"], "columns", (column.model_copy(update={"name": "seconds"}),))
    with pytest.raises(InputError, match="tiny: metrics: clip_score has a column 'seconds', which is a name of the"):
        check_metrics(study.model_copy(update={"metrics": ("clip_score",)}))


@pytest.mark.parametrize("missing", ["columns", "role"])
def test_a_metric_that_does_not_say_what_it_needs_is_refused(missing: str) -> None:
    members = {"columns": (), "role": None}
    del members[missing]
    with pytest.raises(RegistrationError, match=f"^metric 'mine': .*Mine has no {missing} "):
        MetricRegistry("metric").register("mine")(type("Mine", (), members))


def test_a_model_of_a_metrics_own_is_looked_for(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> None:
        raise WeightsMissingError("not fetched")

    monkeypatch.setattr(metrics["saturation"], "check", staticmethod(check), raising=False)
    check_metrics(study.model_copy(update={"metrics": ("clip_score",)}))
    with pytest.raises(WeightsMissingError, match="not fetched"):
        check_metrics(study.model_copy(update={"metrics": ("clip_score", "saturation")}))

"""Models that score a study."""

from __future__ import annotations

from bench.study.study import Study
from metrics import metrics
from metrics.controls import controls
from metrics.suites import Role, find_suite


def check_metrics(study: Study) -> None:
    """Check that the models of the study's metrics are available, without loading them.

    Raises:
        UnknownNameError: If a metric, a control or a suite of scorer models is not registered.
        WeightsMissingError: If the suite lacks a model that one of the metrics needs, or one needs a model of its own.
    """
    suite = find_suite(study.scorer_suite)
    for role in scorer_roles(study):
        suite.folder(role)
    for name in study.metrics:  # a model that belongs to no suite
        getattr(metrics[name], "check", lambda: None)()


def scorer_roles(study: Study) -> list[Role]:
    """The models of the suite that the study's metrics need.

    Raises:
        UnknownNameError: If a metric, a control or a suite of scorer models is not registered.
    """
    find_suite(study.scorer_suite)
    for name in study.controls:
        controls[name]  # raises
    roles = [getattr(metrics[name], "role", None) for name in study.metrics]  # a plug-in's may have none
    return [role for role in dict.fromkeys(roles) if role is not None]

"""Models that score a study."""

from __future__ import annotations

from bench.errors import InputError
from bench.study.naming import named_in
from bench.study.study import Study
from methods.priors import priors
from methods.priors.loading import folder_of, hub_of
from methods.registry import UnknownNameError
from metrics import NeedsOwnModel, metrics
from metrics.controls import controls
from metrics.suites import Role, Suite, find_suite, suites


def check_metrics(study: Study) -> None:
    """Check that the models of the study's metrics are available, without loading them.

    Raises:
        UnknownNameError: If a metric, a control, a suite of scorer models or the prior is not registered.
        InputError: If the study names no suite, and its prior has none, or the name of a metric's column is taken.
        WeightsMissingError: If the suite lacks a model that one of the metrics needs, or one needs a model of its own.
    """
    suite = study_suite(study)
    for role in scorer_roles(study):
        suite.folder(role)
    from reports.frames import RESERVED  # imports pandas, which takes long

    owners: dict[str, str] = {}
    for name in study.metrics:
        for column in metrics[name].columns:
            if column.name in RESERVED:
                raise InputError(
                    f"{study.name}: metrics: {name} has a column {column.name!r}, which is a name of the tables' own "
                    "columns; give it another name"
                )
            if (other := owners.setdefault(column.name, name)) != name:
                raise InputError(
                    f"{study.name}: metrics: {other} and {name} both have a column {column.name!r}; leave one out, or "
                    "give the column of one another name"
                )
    for metric in (metrics[name] for name in study.metrics):
        if isinstance(metric, NeedsOwnModel):
            metric.check()


def study_suite(study: Study) -> Suite:
    """The suite of scorer models of a study.

    Raises:
        UnknownNameError: If it is not registered, or the study names none and has an unknown prior.
        InputError: If the study names none, and its prior has none.
        SuiteError: If its file is missing or wrong.
        WeightsMissingError: If the study names none, and its prior is a path with nothing there.
    """
    try:
        return find_suite(study.scorer_suite)
    except UnknownNameError as error:
        if study.scorers is not None:
            with named_in(study, "scorers"):
                raise
        prior = study.prior.name  # a misspelt one has no suite either
        if study.pinned is None and hub_of(prior) is None and folder_of(prior) is None:
            with named_in(study, "prior"):
                priors[prior]  # raises
        raise InputError(
            f"{study.name}: the key 'scorers' is missing: the prior {prior!r} has no suite of its own; "
            f"known: {', '.join(suites.names())}"
        ) from error


def scorer_roles(study: Study) -> list[Role]:
    """The models of the suite that the study's metrics need.

    Raises:
        UnknownNameError: If a metric, a control, a suite of scorer models or the prior is not registered.
        InputError: If the study names no suite, and its prior has none.
    """
    study_suite(study)
    with named_in(study, "controls"):
        for name in study.controls:
            controls[name]  # raises
    with named_in(study, "metrics"):
        roles = [metrics[name].role for name in study.metrics]
    return [role for role in dict.fromkeys(roles) if role is not None]

"""Names in a study that its report needs, checked before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from bench.errors import InputError
from bench.study.naming import named_in
from bench.study.setting_paths import check_path
from bench.study.study import Study
from methods.registry import UnknownNameError, nearest
from metrics import PYIQA, metrics
from reports import ReportError
from reports.costs import COSTS
from reports.figures.standard import STANDARD
from reports.published import load_published


def check_report(study: Study) -> None:
    """Check that a report can have the figures, the claims and the published tables that the study asks for.

    Raises:
        InputError: If a name is unknown, or a figure has the name of one that every report has or needs snapshots that
            the study does not take.
    """
    for index, figure in enumerate(study.figures):
        if figure.name in {spec.name for spec in STANDARD}:
            raise InputError(
                f"{study.name}: figures.{index}.name = {figure.name!r}: is the name of a figure that every report has; "
                f"give another, such as {f'my-{figure.name}'!r}"
            )
        # a run that was started without may end, and its page says why the figure is empty
        if figure.kind == "time_to_quality" and not study.evaluation.snapshots and study.pinned is None:
            raise InputError(
                f"{study.name}: figures.{index}.kind = 'time_to_quality': needs snapshots on the way, such as "
                "evaluation.snapshots = [0.25, 0.5, 0.75]; add them, or leave the figure out"
            )
        if figure.x:
            check_path(figure.x, f"{study.name}: figures.{index}.x")
    with named_in(study, "metrics"):
        scores = _columns([*metrics.names(), *study.metrics])
    for where, name, costs in _named_columns(study):
        _check_column(f"{study.name}: {where}", name, scores | costs)
    for name in study.published:
        try:
            load_published(name)
        except ReportError as error:
            raise InputError(f"{study.name}: {error}") from error


def unscored_columns(study: Study) -> set[str]:
    """The columns of metrics that the study is not scored with, so that its report leaves them out."""
    named = {name for _, name, _ in _named_columns(study) if name.startswith(PYIQA)}
    known = [name for name in study.metrics if name in metrics]  # not those of a package that is not here
    return (_columns(metrics.names()) | named) - _columns(known)


def _columns(names: Collection[str]) -> set[str]:
    """The columns of metrics that tables and figures can name; the points of a curve are not among them."""
    return {column.name for name in names for column in metrics[name].columns if column.group != "spectrum"}


def _named_columns(study: Study) -> Iterator[tuple[str, str, set[str]]]:
    """Each column that the study names: its key, its name, and what else than a score it may be."""
    costs = {cost.source for cost in COSTS}
    for index, figure in enumerate(study.figures):
        for name in figure.metrics:
            yield f"figures.{index}.metrics", name, costs
    for index, claim in enumerate(study.paper_claims):
        yield f"paper_claims.{index}.metric", claim.metric, set()


def _check_column(where: str, name: str, known: set[str]) -> None:
    if name in known:
        return
    try:
        columns = _columns([name])  # of a metric of another name, or of one of pyiqa's
    except UnknownNameError as error:
        right = str(error) if name.startswith(PYIQA) else f"unknown column {name!r}: {nearest(name, known)}"
        raise InputError(f"{where}: {right}") from error
    if name not in columns:
        raise InputError(f"{where}: {name!r} is a metric, not a column; its columns are {', '.join(sorted(columns))}")

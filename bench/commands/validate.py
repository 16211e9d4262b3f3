"""Command ``validate``: whether a prior works on this machine, as one small file to send."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.cells.torch_settings import torch_settings
from bench.commands.backends import BACKENDS
from bench.output import print_line
from bench.records.atomic import write_atomically
from bench.scores.scorers import candidate_texts
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.settings import PriorChoice
from bench.study.study import Study, load_study
from bench.validation.cost import check_cost, check_determinism
from bench.validation.precision import check_precision
from bench.validation.result import Check, Validation
from bench.validation.samples import check_samples
from bench.validation.updates import check_updates
from bench.watch.environment import describe_environment
from methods.contracts import Prior
from methods.priors import suite_of
from methods.priors.loading import cached_prior

#: Where a validation goes.
_ISSUES = "an issue of this project"


@dataclass(frozen=True)
class Extent:
    """Size of the trials."""

    samples: int = 8
    """Samples of the prior."""
    sampling_steps: int = 25
    """DDIM steps of a sample."""
    sides: tuple[int, ...] = (64, 512)
    """Sides of the renders whose steps are timed, pixels."""
    seconds: float = 900.0
    """Time after which no further check is started."""


def validate(name: str, console: Console, *, out: Path, extent: Extent) -> bool:
    """Check a prior here, write ``out`` and a page of the same name, and print them; whether nothing is wrong.

    Args:
        name: Name of the prior: its study is ``quick`` for the toybox, ``table1`` for others.
        console: The console to print on.
        out: The JSON file.
        extent: How much is tried.

    Raises:
        UnknownNameError: If there is no such prior.
        WeightsError: If its weights are missing or wrong.
        StorageError: If the files cannot be written.
    """
    prior = cached_prior(name, "mode")
    study = _study(name)
    cells = expand(study.narrow(prompt_ids=[study.chosen_prompts()[0].id]))
    start = time.perf_counter()
    checks: dict[str, Check] = {}
    with torch_settings(study.threads):  # as in a run, so that seconds and memory are those of one
        for title, check in _checks(name, prior, study, cells, extent):
            print_line(console, f"{title} …")
            checks[title] = _made(check, late=time.perf_counter() - start > extent.seconds)
    found = Validation(
        prior=name,
        prior_sha256=prior.weights_sha256,
        seconds=time.perf_counter() - start,
        environment=describe_environment(prior.device),
        backends={each.chosen_for: each.choice() for each in BACKENDS if each.chosen_for},
        checks=checks,
    )
    write_atomically(out, found.model_dump_json(indent=1) + "\n")
    page = out.with_suffix(".html")
    write_atomically(page, _page(found))
    for table in _tables(found):
        console.print(table)
    print_line(console, f"validation: {out} ({out.stat().st_size / 1000:.1f} kB) and {page}")
    print_line(console, f"to send it, attach {out.name} to {_ISSUES}; it names hardware and packages, and no person")
    return not found.failed


def _study(name: str) -> Study:
    """The study whose arms are tried, on this prior."""
    study = load_study("quick" if suite_of(name) == "toybox" else "table1")
    scorers = study.scorer_suite
    return study.model_copy(update={"prior": PriorChoice(name=name), "scorers": scorers})


def _checks(
    name: str, prior: Prior, study: Study, cells: list[Cell], extent: Extent
) -> Iterator[tuple[str, Callable[[], Check]]]:
    candidates = candidate_texts(study)
    texts = candidates[: extent.samples]
    inverting = next((cell for cell in cells if cell.method == "sdi"), cells[0])
    yield "half precision", lambda: check_precision(name, prior)
    yield (
        "samples",
        lambda: check_samples(
            prior, texts, study.scorer_suite, sampling_steps=extent.sampling_steps, candidates=candidates
        ),
    )
    yield "updates", lambda: check_updates(cells, prior)
    yield "determinism", lambda: check_determinism(cells[0], prior)
    yield "cost", lambda: check_cost(inverting, prior, extent.sides)


def _made(check: Callable[[], Check], *, late: bool) -> Check:
    """The check, or why it could not be made: a machine on which one fails is the one to hear of."""
    if late:
        return Check(passed=None, note="left out: the time was over")
    try:
        return check()
    except Exception as error:  # noqa: BLE001, every failure is a result here
        return Check(passed=False, note=f"{type(error).__name__}: {' '.join(str(error).split()):.300}")


def _tables(found: Validation) -> Iterator[Table]:
    about = Table("what", "found", title=f"{found.prior} on {found.environment.device}")
    for part, backend in found.backends.items():
        about.add_row(part, Text(backend))
    for name, check in found.checks.items():
        verdict = {True: "right", False: "WRONG", None: "–"}[check.passed]
        about.add_row(name, Text(f"{verdict}: {check.note}"))
    yield about
    values = Table("check", "value", "measured", title="Measured")
    for name, check in found.checks.items():
        for index, (what, value) in enumerate(check.values.items()):
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            values.add_row(name if index == 0 else "", Text(what), Text(shown))
    yield values


def _page(found: Validation) -> str:
    """The tables as a page that opens offline."""
    console = Console(record=True, width=120, file=io.StringIO())
    for table in _tables(found):
        console.print(table)
    environment = found.environment
    packages = ", ".join(f"{name} {version}" for name, version in environment.packages.items())
    print_line(console, f"{packages}; {environment.platform}; weights {found.prior_sha256[:12]}")
    page: str = console.export_html()
    return page

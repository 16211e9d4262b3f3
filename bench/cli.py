"""The command ``sdibench``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.console import Console

from bench.errors import InputError
from bench.study import Study, load_study

if TYPE_CHECKING:  # they import torch, which --help need not wait for
    from bench.store import RunStore

Names = tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """Which study, and where its run is kept."""

    study: tyro.conf.Positional[str]
    """Name of a study, path of a study's TOML file, or a run folder."""
    methods: Names = ()
    """Only these methods of the study."""
    prompts: Names = ()
    """These prompts of the study's prompt set, by id."""
    seeds: tuple[int, ...] = ()
    """These seeds instead of the study's."""
    steps: int | None = None
    """Optimisation steps instead of the study's."""
    out: Path | None = None
    """Run folder; runs/<study> where it is not given."""

    def resolve(self) -> tuple[Study, RunStore]:
        """The study and its run folder.

        Raises:
            InputError: If there is no such study or run, or a value is wrong.
        """
        from bench.store import STUDY_FILE, RunStore

        given = Path(self.study)
        is_run = (given / STUDY_FILE).is_file()
        study = RunStore(given).read_study() if is_run else load_study(self.study)
        narrowed = study.narrowed(methods=self.methods, prompt_ids=self.prompts, seeds=self.seeds, steps=self.steps)
        folder = self.out or (given if is_run and narrowed.key == study.key else Path("runs") / narrowed.name)
        return narrowed, RunStore(folder)


@dataclass(frozen=True)
class Plan(Selection):
    """Print the number of cells and a forecast of time, memory and disk; run nothing."""

    timing_seconds: float = 120.0
    """Longest time for timing steps, where there are no records to tell from."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.plan import print_plan

        print_plan(*self.resolve(), console, timing_seconds=self.timing_seconds)
        return 0


@dataclass(frozen=True)
class Run(Selection):
    """Run the cells that have no record yet."""

    engine: str = "local"
    """Where to run them (sdibench list engines)."""
    retry_failed: bool = False
    """Run the cells again that ended as oom, timeout or crashed."""
    budget_hours: float = 24.0
    """Ask before more hours of the device than this are begun; without a terminal, refuse."""
    yes: bool = False
    """Begin without asking, whatever the forecast of time and memory."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.run import run_study

        study, store = self.resolve()
        budget = None if self.yes else self.budget_hours
        run_study(study, store, console, engine=self.engine, retry_failed=self.retry_failed, budget_hours=budget)
        return 0


@dataclass(frozen=True)
class Score(Selection):
    """Score the views of all completed cells."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.score import score_study

        study, store = self.resolve()
        store.check(study)
        score_study(study, store, console)
        return 0


@dataclass(frozen=True)
class Report(Selection):
    """Write tables, figures and the page of a scored run."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.report import report_study

        study, store = self.resolve()
        store.check(study)
        page = report_study(study, store)
        table = page.parent / "tables" / "summary.md"
        if table.is_file():
            console.print(table.read_text(encoding="utf-8"), markup=False, highlight=False, soft_wrap=True)
        console.print(f"report: {page}", highlight=False, soft_wrap=True)
        return 0


@dataclass(frozen=True)
class Benchmark(Run):
    """Run, score and report in one go."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        Run.__call__(self, console)
        selection = {name: getattr(self, name) for name in Selection.__dataclass_fields__}
        Score(**selection)(console)
        return Report(**selection)(console)


@dataclass(frozen=True)
class Fetch:
    """Download a suite's weights ahead; after that everything runs without a network (HF_HUB_OFFLINE=1)."""

    suite: tyro.conf.Positional[str]
    """Name of the suite (sd21), or a hub repository of Stable Diffusion's family (owner/name)."""
    mirror: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Folder to copy from instead: with a subfolder for each role, or the files of one role themselves."""
    only: Names = ()
    """Only these roles (prior, …)."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.fetch import fetch_suite

        fetch_suite(self.suite, console, mirror=self.mirror, only=self.only)
        return 0


@dataclass(frozen=True)
class List:
    """List what there is to choose from."""

    kind: tyro.conf.Positional[
        Literal[
            "methods",
            "metrics",
            "prompts",
            "studies",
            "priors",
            "strategies",
            "scenes",
            "materials",
            "backgrounds",
            "encodings",
            "engines",
        ]
    ]
    """What to list."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.catalogue import list_kind

        list_kind(self.kind, console)
        return 0


@dataclass(frozen=True)
class Cite:
    """Print the BibTeX entry of a method's paper."""

    method: tyro.conf.Positional[str]
    """Name of a method (sdibench list methods)."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.catalogue import bibtex_of

        sys.stdout.write(bibtex_of(self.method) + "\n")  # plain, for a file: a console would wrap its lines
        return 0


@dataclass(frozen=True)
class Doctor:
    """Check packages, hardware and weights; exit status 1 if weights are not as their cards say."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.catalogue import run_doctor

        return 0 if run_doctor(console) else 1


Command = (
    Annotated[Plan, tyro.conf.subcommand("plan")]
    | Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Score, tyro.conf.subcommand("score")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[Benchmark, tyro.conf.subcommand("benchmark")]
    | Annotated[Fetch, tyro.conf.subcommand("fetch")]
    | Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Cite, tyro.conf.subcommand("cite")]
    | Annotated[Doctor, tyro.conf.subcommand("doctor")]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        Exit status: 0 done, 1 something is wrong with the installation, 2 bad input (one line on stderr),
        130 interrupted.
    """
    command = tyro.cli(
        Command,  # type: ignore[arg-type]
        prog="sdibench",
        description="Compare score-distillation methods for text-to-3D.",
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    try:
        return command(Console())
    except KeyboardInterrupt:
        _tell("interrupted; finished cells are kept, the same command goes on from there")
        return 130
    except Exception as error:
        if not isinstance(error, _input_errors()):
            raise
        _tell(" ".join(str(error).split()))
        return 2


def _tell(line: str) -> None:
    sys.stderr.write(f"sdibench: {line}\n")


def _input_errors() -> tuple[type[Exception], ...]:
    """The errors that are the user's to mend, imported only when there is one."""
    from methods.registry import UnknownNameError
    from methods.weights import WeightsError
    from prompts import PromptSetError
    from reports import ReportError

    return InputError, UnknownNameError, WeightsError, PromptSetError, ReportError

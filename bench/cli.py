"""The command ``sdibench``."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from bench.cli_imports import Import, Rank
from bench.cli_installation import Cite, Convert, Doctor, Fetch, List, Show, Validate
from bench.commands.selection import Names, Selection
from bench.engines.options import EngineOptions
from bench.errors import InputError, RunError
from bench.output import lenient_output, print_line
from bench.parsing import parse
from bench.ranges import Amount, Count, Within

#: Characters of an error that are shown; someone else's file can have names of any length.
_LONGEST_LINE = 1000

#: What a file system says no with: that is the user's to mend, and no error of the program's.
_REFUSALS = {
    errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOSPC,
    errno.ENOTDIR, errno.EPERM, errno.EROFS,
}  # fmt: skip


@dataclass(frozen=True)
class Plan(Selection):
    """Print the number of cells and a forecast of time, memory and disk; run nothing.

    The exit status is 2 if cells cannot run on this machine because a package is missing.
    """

    timing_seconds: Amount = 120.0
    """Longest time for timing steps, if there are no records to forecast from."""
    on: str | None = None
    """The GPU that the study is to run on (v100, a100, a6000, 4090, l40s, h100, h200): without it or without weights,
    the cost is estimated from counted operations."""
    print_study: bool = False
    """Print the whole study as TOML, with what it takes from other studies, and nothing else."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        if self.print_study:
            from bench.study.printed import study_toml

            sys.stdout.write(study_toml(self.resolve()[0]))  # plain, for a file: a console would wrap its lines
            return 0
        from bench.commands.plan import print_plan
        from bench.forecast.gpus import gpus

        on = None if self.on is None else gpus[self.on.lower()]
        can_run = print_plan(*self.resolve(), console, timing_seconds=self.timing_seconds, on=on)
        return 0 if can_run else 2


@dataclass(frozen=True)
class Run(Selection):
    """Run the cells that have no record yet; exit status 1 if one of them crashed or is left without a record."""

    engine: str = "local"
    """Engine that runs them (sdibench list engines)."""
    retry_failed: bool = False
    """Run the cells again that ended as oom, timeout or crashed."""
    retry_changed: bool = False
    """Run the finished cells again whose method's code has changed since; their records are set aside."""
    budget_hours: Amount = 24.0
    """Ask before starting more device-hours than this; without a terminal, refuse."""
    yes: bool = False
    """Start without asking, whatever the forecast of time and memory."""
    engine_options: tyro.conf.OmitArgPrefixes[EngineOptions] = field(default_factory=EngineOptions)
    """Options of the engine."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.run import run_study

        self.engine_options.check_engine(self.engine)
        study, store = self.resolve()
        crashed = run_study(
            study,
            store,
            console,
            engine=self.engine,
            retry_failed=self.retry_failed,
            retry_changed=self.retry_changed,
            budget_hours=None if self.yes else self.budget_hours,
            options=self.engine_options,
        )
        return 1 if crashed else 0  # out of memory or time is the method's result on this machine


@dataclass(frozen=True)
class Score(Selection):
    """Score the views of all completed cells."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.score import score_study

        study, store = self.resolve()
        checked = store.check(study)
        score_study(checked, store, console)
        store.write_study(checked)  # report, table and verify read in the folder what it was scored with
        return 0


@dataclass(frozen=True)
class Report(Selection):
    """Write tables, figures and the page of a scored run, and print the results."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.report import report_study
        from reports.render.terminal import print_table

        study, store = self.resolve()
        report = report_study(store.check(study), store)
        print_table(report.tables[0], console)
        print_line(console, f"report: {report.page}")
        return 0


@dataclass(frozen=True)
class PrintTable:
    """Print one table of a scored run, or some rows and columns of it, as a paper has it; writes no file."""

    run: tyro.conf.Positional[Path]
    """Run folder, or the folder data of a report, which needs no run."""
    table: str = "summary"
    """Name of the table, as the files in report/tables are called."""
    rows: Names = ()
    """Labels of the rows, in this order; all of them where none is given.  An imported arm may be called by its own."""
    columns: Names = ()
    """Keys of the columns, as in report/tables/*.csv, in this order; all of them where none is given."""
    means_only: bool = False
    """Leave out standard deviations, intervals, rank groups and numbers of prompts."""
    format: Literal["terminal", "markdown", "latex", "csv", "html", "json"] = "terminal"
    """Format of what is printed."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.report import printed_tables
        from bench.study.imported_cell import imported_title
        from methods.registry import nearest
        from reports.part import part_of
        from reports.render import FORMATS
        from reports.render.terminal import print_table

        tables = {table.name: table for table in printed_tables(self.run)}
        if self.table not in tables:
            raise InputError(f"--table {self.table}: is no table of {self.run}: {nearest(self.table, tables)}")
        known = {row.label for row in tables[self.table].rows}
        rows = [row if row in known or imported_title(row) not in known else imported_title(row) for row in self.rows]
        part = part_of(tables[self.table], rows=rows, columns=self.columns, means_only=self.means_only)
        if self.format == "terminal":
            print_table(part, console, whole=True)
        else:
            suffix = {"markdown": "md", "latex": "tex"}.get(self.format, self.format)
            sys.stdout.write(FORMATS[suffix](part))  # plain, for a file: a console would wrap its lines
        return 0


@dataclass(frozen=True)
class Benchmark(Run):
    """Run, score and report in one go; exit status 1 if a cell crashed, with a report of the others."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        status = Run.__call__(self, console)
        selection = {name: getattr(self, name) for name in Selection.__dataclass_fields__}
        Score(**selection)(console)
        return Report(**selection)(console) or status


@dataclass(frozen=True)
class Verify:
    """Check a run folder: records, files, hashes, and some scores computed again; exit status 1 if any is wrong."""

    run: tyro.conf.Positional[Path]
    """Run folder."""
    rescore: Count = 4
    """Completed cells whose scores are computed again and compared."""
    seed: Annotated[int, Within(0)] = 0
    """Seed of the choice of those cells."""
    redo: bool = False
    """Set aside what is corrupt or damaged, so that the next run, score and report make it again; nothing is deleted,
    and what cannot be read or is of another version stays."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.verify import verify_run
        from bench.records.store import RunStore

        store = RunStore(self.run)
        is_right = verify_run(store.read_study(), store, console, rescored=self.rescore, seed=self.seed, redo=self.redo)
        return 0 if is_right else 1


@dataclass(frozen=True)
class Merge:
    """Unite run folders of one study from several machines; exit status 1 if records differ or are left out."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders; of two records of one cell the first is kept, the other set aside."""
    out: Path
    """Run folder to copy into, new or of the same study."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.merge import merge_runs
        from bench.records.store import RunStore

        return 0 if merge_runs([RunStore(run) for run in self.runs], RunStore(self.out), console) else 1


@dataclass(frozen=True)
class Compare:
    """Print what a scored run changed against another, as Markdown; exit status 1 if a --fail-if holds."""

    a: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="A")]
    """Run folder that is subtracted."""
    b: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="B")]
    """Run folder that it is subtracted from."""
    fail_if: Names = ()
    """Conditions, each [METHOD.]COLUMN[.mean|.low|.high] and a bound in the table's unit: "clip_score < -0.5" asks for
    the mean difference of any method, "sdi.clip_score.high < 0" for the upper end of one's 95 % interval.
    One on a metric that is not comparable, and a method without such a value, are named and do not count.  Cells that B
    has lost, and those that completed in A and diverged or failed in B, make any gate fail; a condition on "diverged"
    says how many may diverge."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.compare import compare_runs
        from bench.records.store import RunStore

        comparison = compare_runs(RunStore(self.a), RunStore(self.b))
        sys.stdout.write(comparison.markdown)  # plain, for a file: a console would wrap its lines
        failures = comparison.judge(self.fail_if)  # after the table, which is there also where it cannot tell
        for line in [*comparison.unjudged(self.fail_if), *failures]:
            _complain(line)
        return 1 if failures else 0


@dataclass(frozen=True)
class Export:
    """Write the scene of a finished cell as a mesh (--mesh) or as its Gaussians (--gaussians); needs no prior."""

    cell: tyro.conf.Positional[Path]
    """Folder of the cell's record: runs/STUDY/cells/CELL."""
    mesh: Path | None = None
    """File of triangles with vertex colours: out.glb for viewers, out.ply or out.obj for mesh tools."""
    gaussians: Path | None = None
    """File of the Gaussians of a scene that consists of them: out.ply for viewers of 3D Gaussian Splatting, or the
    smaller out.splat."""
    resolution: Annotated[int, Within(8, 512)] = 96
    """Points along an edge of the grid that the density is read on; 512³ densities are half a gibibyte."""
    level: Annotated[float, Within(0, is_open=True)] | None = None
    """Density at the surface; the one whose silhouette is that of the renders where it is not given."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.exports.gaussians import export_gaussians
        from bench.exports.mesh import export_mesh

        if self.mesh is self.gaussians is None:
            raise InputError("export: give --mesh out.glb, or --gaussians out.ply for a scene of Gaussians")
        if self.mesh is not None:
            export_mesh(self.cell, self.mesh, resolution=self.resolution, level=self.level)
            print_line(console, f"mesh: {self.mesh}")
        if self.gaussians is not None:
            export_gaussians(self.cell, self.gaussians)
            print_line(console, f"Gaussians: {self.gaussians}")
        return 0


Command = (
    Annotated[Plan, tyro.conf.subcommand("plan")]
    | Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Score, tyro.conf.subcommand("score")]
    | Annotated[Report, tyro.conf.subcommand("report")]
    | Annotated[PrintTable, tyro.conf.subcommand("table")]
    | Annotated[Benchmark, tyro.conf.subcommand("benchmark")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
    | Annotated[Merge, tyro.conf.subcommand("merge")]
    | Annotated[Compare, tyro.conf.subcommand("compare")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Import, tyro.conf.subcommand("import")]
    | Annotated[Rank, tyro.conf.subcommand("rank")]
    | Annotated[Fetch, tyro.conf.subcommand("fetch")]
    | Annotated[Convert, tyro.conf.subcommand("convert")]
    | Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Show, tyro.conf.subcommand("show")]
    | Annotated[Cite, tyro.conf.subcommand("cite")]
    | Annotated[Doctor, tyro.conf.subcommand("doctor")]
    | Annotated[Validate, tyro.conf.subcommand("validate")]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        Exit status: 0 done, 1 something is wrong with the installation (doctor), the run (run, benchmark, verify,
        merge; a crashed cell is) or the numbers (compare), 2 bad input (one line on stderr), 130 interrupted.
    """
    with lenient_output():
        if (sys.argv[1:] if arguments is None else list(arguments)) == ["--version"]:
            sys.stdout.write(f"sdibench {version('sdi-bench')}\n")
            return 0
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    try:
        command = parse(
            Command,
            arguments,
            description="Compare score-distillation methods for text-to-3D.  sdibench --version prints the version.",
        )
        return int(command(Console(markup=False, highlight=False)))
    except KeyboardInterrupt:
        _complain("interrupted; finished cells are kept, the same command goes on from there")
        return 130
    except RunError as error:
        _complain(str(error))
        return 1
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        _complain(f"{error.filename or 'the disk'}: {error.strerror}")
        return 2
    except Exception as error:
        if not isinstance(error, _input_errors()):
            raise
        _complain(" ".join(str(error).split()))
        return 2


def _complain(line: str) -> None:
    shown = line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE // 2]} … {line[-_LONGEST_LINE // 2 :]}"
    sys.stderr.write(f"sdibench: {shown}\n")


def _input_errors() -> tuple[type[Exception], ...]:
    """The errors that are the user's to mend, imported only when there is one."""
    from methods.card import CardError
    from methods.registry import RegistrationError, UnknownNameError
    from methods.settings import MissingPackageError
    from methods.weights import WeightsError
    from prompts import PromptSetError
    from reports import ReportError

    return (
        InputError,
        CardError,
        MissingPackageError,
        RegistrationError,
        UnknownNameError,
        WeightsError,
        PromptSetError,
        ReportError,
    )


if __name__ == "__main__":
    sys.exit(main())

"""The commands about renders that were made elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import tyro
from rich.console import Console

from bench.commands.selection import Names
from bench.errors import InputError
from bench.output import print_line
from bench.ranges import Positive


@dataclass(frozen=True)
class _Scored:
    """The arguments of a study that has imported arms only."""

    prompts: str | None = None
    """Prompt set by name, or a file of prompts (one per line, CSV, JSON or TOML)."""
    scorers: str = "sd21"
    """Suite of scorer models: sd21 (sdibench fetch sd21 --only clip iqa bert reward), toybox for the
    toybox's, or a suite's TOML file."""
    metrics: Names = ()
    """Metrics to score with, instead of those that need neither a truth nor a prior."""
    views: Positive = 24
    """Views of the controls, and of meshes and Gaussians that are rendered here."""
    resolution: Positive | None = None
    """Side of those views, pixels; by default that of the images that the scorers belong to."""


#: The options of an import that decide what a run has already.
_OF_A_NEW_RUN = {*(field.name for field in fields(_Scored)), "out"}


@dataclass(frozen=True)
class Import(_Scored):
    """Import a folder of renders as an arm: into a finished run (--into), or into a run folder of its own (--prompts).

    Then score and report the run folder.  What a folder must look like: sdibench list layouts.
    """

    folder: tyro.conf.Positional[Path] = Path()
    """Folder of the renders."""
    layout: str = "frames"
    """Layout of the folder (sdibench list layouts)."""
    method: str | None = None
    """Label of the arm; the folder's name where it is not given."""
    set: Names = ()
    """Settings of the layout as key=value (sdibench show LAYOUT), such as cameras=evaluation."""
    table: Path | None = None
    """CSV with the columns folder and prompt, for folders whose names are no prompts."""
    known: Names = ()
    """Facts that you state of the renders as key=value, such as steps=10000; printed as stated, never used."""
    into: Path | None = None
    """Run folder whose tables the arm joins."""
    out: Path | None = None
    """New run folder, if it joins none; runs/LABEL where it is not given."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.imports import (
            Renders,
            import_alone,
            import_into,
            label_of,
            read_settings,
            settings_of,
            study_of_renders,
        )
        from bench.records.store import RunStore

        label = self.method or label_of(self.folder)
        settings = settings_of(self.layout, read_settings(self.set, "--set", [self.layout]))
        known = read_settings(self.known, "--known")
        renders = Renders(self.folder, label, self.layout, settings, self.table, known)
        if self.into is None and self.prompts is None:
            raise InputError("import: give --into RUN to join a run, or --prompts for a run folder of its own")
        if self.into is not None:
            for field in fields(self):
                if field.name in _OF_A_NEW_RUN and getattr(self, field.name) != field.default:
                    raise InputError(f"import: --into and --{field.name} exclude each other: a run has its own")
            import_into(renders, RunStore(self.into), console)
        elif self.prompts is not None:
            study = study_of_renders(
                label, [renders], prompts=self.prompts, scorers=self.scorers, metrics=self.metrics,
                views=self.views, resolution=self.resolution,
            )  # fmt: skip
            import_alone(study, RunStore(self.out or Path("runs") / label), console)
        return 0


@dataclass(frozen=True)
class Rank(_Scored):
    """Compare folders of renders: import, score and report in one go; ends with the page."""

    folders: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Folders, one for each arm; the first is the one that others are compared with."""
    layouts: Names = ("frames",)
    """Layout of all folders, or one for each (sdibench list layouts)."""
    names: Names = ()
    """Labels of the arms; the folders' names where they are not given."""
    set: Names = ()
    """Settings as key=value for all folders, or LAYOUT.key=value for those in one layout (video.views=36)."""
    table: Path | None = None
    """CSV with the columns folder and prompt, for folders whose names are no prompts."""
    out: Path = Path("runs/rank")
    """Run folder."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.imports import Renders, label_of, rank, read_settings, settings_of, study_of_renders
        from bench.records.store import RunStore
        from reports.render.terminal import print_table

        if not self.folders or self.prompts is None:
            raise InputError("rank: give at least one folder of renders, and --prompts")
        for option, given in (("layouts", self.layouts), ("names", self.names)):
            if len(given) not in {len(self.folders), *((1,) if option == "layouts" else (0,))}:
                raise InputError(f"--{option}: {len(given)} are given for {len(self.folders)} folders")
        labels = self.names or tuple(map(label_of, self.folders))
        layouts = self.layouts if len(self.layouts) > 1 else self.layouts * len(self.folders)
        settings = read_settings(self.set, "--set", layouts)
        renders = [
            Renders(folder, label, layout, settings_of(layout, settings), self.table)
            for folder, label, layout in zip(self.folders, labels, layouts, strict=True)
        ]
        study = study_of_renders(
            label_of(self.out), renders, prompts=self.prompts, scorers=self.scorers, metrics=self.metrics,
            views=self.views, resolution=self.resolution,
        )  # fmt: skip
        report = rank(study, RunStore(self.out), console)
        print_table(report.tables[0], console)
        print_line(console, f"report: {report.page}")
        return 0

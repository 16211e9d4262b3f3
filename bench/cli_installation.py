"""The commands that do not need a run: what there is, whether it works here, and what is missing."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from bench.commands.selection import Names
from bench.ranges import Amount


@dataclass(frozen=True)
class Fetch:
    """Download a suite's weights ahead; after that everything runs without a network (HF_HUB_OFFLINE=1)."""

    suite: tyro.conf.Positional[str]
    """Name of a suite or of a prior (sd21, sdxl, sd35, clip_l14, …), a suite's TOML file, or a hub repository with a
    prior (owner/name)."""
    mirror: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Folder to copy from instead: with a subfolder for each role, or the files of one role themselves."""
    only: Names = ()
    """Only these roles (prior, …); without it all but the optional ones."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.fetch import fetch_suite

        fetch_suite(self.suite, console, mirror=self.mirror, only=self.only)
        return 0


@dataclass(frozen=True)
class Convert:
    """Write a checkpoint in one .safetensors file as a folder that can be a prior."""

    checkpoint: tyro.conf.Positional[Path]
    """The file, a fine-tune of Stable Diffusion 1, 2, XL or 3, or of FLUX.1."""
    folder: tyro.conf.Positional[Path]
    """Folder to write."""
    like: str | None = None
    """A prior of its kind (name, folder or fetched repository), which has what the file lacks: configurations,
    tokenizers, text encoders.  Without it, the configurations of the model it was made from are downloaded."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.convert import convert_file

        convert_file(self.checkpoint, self.folder, console, like=self.like)
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
            "schedules",
            "scenes",
            "keys",
            "suites",
            "marchings",
            "materials",
            "backgrounds",
            "encodings",
            "rasterisers",
            "initialisations",
            "density",
            "controls",
            "layouts",
            "engines",
        ]
    ]
    """Kind of thing to list."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.list import list_kind

        list_kind(self.kind, console)
        return 0


@dataclass(frozen=True)
class Show:
    """Print everything that is known of a name: a method, metric, study, prior, strategy, scene and so on."""

    name: tyro.conf.Positional[str]
    """Name of anything that sdibench list prints."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.show import show

        show(self.name, console)
        return 0


@dataclass(frozen=True)
class Cite:
    """Print the BibTeX entry of a method's paper."""

    method: tyro.conf.Positional[str]
    """Name of a method (sdibench list methods)."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.list import bibtex_of

        sys.stdout.write(bibtex_of(self.method) + "\n")  # plain, for a file: a console would wrap its lines
        return 0


@dataclass(frozen=True)
class Doctor:
    """Check packages, hardware, weights and determinism; exit status 1 if weights or other packages are not right."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.doctor import run_doctor

        return 0 if run_doctor(console) else 1


@dataclass(frozen=True)
class Validate:
    """Check a prior on this machine in some 15 minutes: samples and their scores, updates, precision, cost."""

    prior: tyro.conf.Positional[str]
    """Name of the prior (sdibench list priors), its folder, or a hub repository."""
    out: Path = Path("validation.json")
    """File to write, with a page of the same name next to it."""
    seconds: Amount = 900.0
    """Time after which no further check is started."""

    def __call__(self, console: Console) -> int:
        """Do it and return the exit status."""
        from bench.commands.validate import Extent, validate

        return 0 if validate(self.prior, console, out=self.out, extent=Extent(seconds=self.seconds)) else 1

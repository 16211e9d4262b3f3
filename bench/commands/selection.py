"""The arguments that all commands on a study share: the study, the part of it, and its run folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from bench.study.paths import whole_suite
from bench.study.study import Study, load_study, study_names

if TYPE_CHECKING:  # it imports torch, which --help need not wait for
    from bench.records.store import RunStore

Names = tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """The study, and the folder of its run."""

    study: tyro.conf.Positional[str]
    """Name of a study, path of a study's TOML file, or a run folder (./quick where it has a study's name)."""
    methods: Names = ()
    """Only these arms of the study, by label."""
    prompts: Names = ()
    """These prompts of the study's prompt set, by id."""
    seeds: tuple[int, ...] = ()
    """These seeds instead of the study's."""
    steps: int | None = None
    """Optimisation steps instead of the study's."""
    scorers: str | None = None
    """Suite of scorer models, or its TOML file, instead of the study's."""
    out: Path | None = None
    """Run folder; by default runs/STUDY, or runs/STUDY-HASH where methods, prompts, seeds or steps are given, which
    score and report then need too."""

    def resolve(self) -> tuple[Study, RunStore]:
        """The study and its run folder.

        Raises:
            InputError: If there is no such study or run, or a value is wrong.
        """
        from bench.records.store import STUDY_FILE, RunStore

        given = Path(self.study)
        is_run = self.study not in study_names() and (given / STUDY_FILE).is_file()
        study = RunStore(given).read_study() if is_run else load_study(self.study)
        narrowed = study.narrow(methods=self.methods, prompt_ids=self.prompts, seeds=self.seeds, steps=self.steps)
        if self.scorers is not None:
            narrowed = narrowed.model_copy(update={"scorers": whole_suite(self.scorers)})
        folder = self.out or (given if is_run and narrowed.key == study.key else Path("runs") / narrowed.name)
        return narrowed, RunStore(folder)

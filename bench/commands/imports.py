"""The commands ``import`` and ``rank``: other people's renders in the tables of a study."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from rich.console import Console

from bench.commands.report import report_study
from bench.commands.score import score_study
from bench.errors import InputError
from bench.imports.import_arms import import_arms, renders_of_a_prompt
from bench.imports.layouts import layouts
from bench.output import print_line
from bench.records.store import RunStore
from bench.study.imported_arms import imported_arms
from bench.study.paths import whole_suite
from bench.study.scorers import check_metrics, scorer_roles
from bench.study.settings import RENDERS
from bench.study.study import Study, as_argument, parse_study
from methods.registry import nearest
from metrics.suites import find_suite
from reports import ReportFiles

#: Metrics of a study of imported renders: those that need neither a truth nor a prior.
METRICS = ("clip_score", "r_precision", "clip_iqa", "image_reward", "view_words")

#: Controls that need no prior.
_CONTROLS = ("blank", "noise", "other_prompt")


@dataclass(frozen=True)
class Renders:
    """A folder of renders, and how it is read."""

    folder: Path
    """The folder."""
    label: str
    """Label of its arm."""
    layout: str
    """Registered name of its layout."""
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    """Settings of the layout."""
    table: Path | None = None
    """CSV with the columns folder and prompt."""
    known: Mapping[str, JsonValue] = field(default_factory=dict)
    """Facts that the user states of them."""

    @property
    def arm(self) -> dict[str, Any]:
        """The table of the arm in a study."""
        renders = {"name": self.layout, "folder": str(self.folder.absolute()), **self.settings}
        renders |= {"table": str(self.table.absolute())} if self.table else {}
        return {RENDERS: renders, **({"known": dict(self.known)} if self.known else {})}


def study_of_renders(
    name: str,
    renders: Sequence[Renders],
    *,
    prompts: str,
    scorers: str,
    metrics: Sequence[str] = (),
    views: int = 24,
    resolution: int | None = None,
) -> Study:
    """A study whose arms are all imported; it needs no prior.

    Args:
        name: Name of the study.
        renders: The arms; the first is the baseline.
        prompts: Name of a prompt set, or path of a file.
        scorers: Suite of scorer models.
        metrics: Metrics to score with; without any, those that need neither a truth nor a prior.
        views: Views of the controls, and of meshes and Gaussians that are rendered here.
        resolution: Their side, pixels; the scorers' own without one.

    Raises:
        InputError: If a value is wrong, or two arms have one label.
        UnknownNameError: If there is no such suite or metric.
    """
    labels = [each.label for each in renders]
    if twice := {label for label in labels if labels.count(label) > 1}:
        raise InputError(f"names: {', '.join(sorted(twice))} is there twice; give each folder its own name (--names)")
    if (Path(prompts).suffix or "/" in prompts) and Path(prompts).exists():
        prompts = str(Path(prompts).absolute())
    fields = {
        "name": name,
        "title": f"Renders of {', '.join(labels)}",
        "description": "Renders that were made elsewhere, scored alike.",
        "prompts": prompts,
        "prior": {"name": "gaussian"},  # closed-form: nothing is optimised
        "steps": 1,
        "scorers": whole_suite(scorers),
        "metrics": list(metrics or METRICS),
        "controls": list(_CONTROLS),
        "baseline": labels[0],
        "evaluation": {"views": views, "resolution": resolution or find_suite(scorers).resolution},
        "methods": {each.label: each.arm for each in renders},
    }
    study = parse_study(fields, where=name)
    scorer_roles(study)  # a misspelt metric is refused before anything is imported
    seeds = list(range(renders_of_a_prompt(study)))
    return parse_study({**fields, "seeds": seeds}, where=name)


def import_into(renders: Renders, store: RunStore, console: Console) -> Study:
    """Add an imported arm to a run, next to the arms that it has.

    Raises:
        InputError: If the folder holds no run, the label is that of another arm, or the renders cannot be used.
    """
    study = store.read_study()
    held = study.methods.get(renders.label)
    if held is not None and (RENDERS not in held or imported_arms(study)[renders.label].layout != _layout(renders)):
        raise InputError(f"method {renders.label!r}: is in {store.folder} already; give these renders another name")
    fields = study.model_dump(mode="json")
    fields["methods"] = {**study.methods, renders.label: renders.arm}
    study = import_arms(parse_study(fields, where=str(store.folder)), store, console)
    _print_counts(study, renders.label, store, console, hint=True)
    return study


def import_alone(study: Study, store: RunStore, console: Console, *, hint: bool = True, partly: bool = True) -> Study:
    """Import the arms of a study of renders into a run folder of their own.

    Args:
        study: The study.
        store: The run folder.
        console: Receives a line for each arm.
        hint: Whether the line names the next commands.
        partly: Whether a new run folder keeps what can be imported where other renders cannot be.

    Raises:
        InputError: If the folder holds another study, or the renders cannot be used.
    """
    study = import_arms(store.check(study), store, console, partly=partly)
    for label in imported_arms(study):
        _print_counts(study, label, store, console, hint=hint)
    return study


def rank(study: Study, store: RunStore, console: Console) -> ReportFiles:
    """Import, score and report a study of renders; a new run folder is made only if all renders can be used.

    Raises:
        InputError: As ``import_alone``.
        WeightsError: If the scorers' weights are missing or differ from those that their card names.
    """
    check_metrics(study)  # before anything is read or written
    if others := [label for label in imported_arms(store.check(study)) if label not in study.methods]:
        raise InputError(
            f"{store.folder}: holds the renders of {', '.join(others)} too, which are not given; give another folder "
            "with --out, or all folders again"
        )
    study = import_alone(study, store, console, hint=False, partly=False)
    score_study(study, store, console)
    return report_study(study, store)


def read_settings(given: Sequence[str], option: str, own_layouts: Sequence[str] | None = None) -> dict[str, JsonValue]:
    """Settings that the command line gives as ``key=value``, each value as TOML has it; plain words are texts.

    Args:
        given: The settings.
        option: The option that they are given with.
        own_layouts: Layouts of the folders, one of which a key may name (``video.views=36``); without it, what is
            before the dot is part of a key.

    Raises:
        InputError: If one has no key, or names another layout.
        UnknownNameError: If one names another layout and one of ``own_layouts`` is unknown, which is then the reason.
    """
    found: dict[str, JsonValue] = {}
    for each in given:
        key, equals, text = each.partition("=")
        if not equals or not re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*\.)?[A-Za-z_][A-Za-z0-9_]*", key):
            example = "steps=10000" if option == "--known" else "cameras=evaluation"
            raise InputError(f"{option} {each!r}: must be key=value, such as {example}")
        layout, dot, _ = key.rpartition(".")
        if own_layouts is not None and dot and layout not in own_layouts:
            for name in own_layouts:
                layouts[name]
            raise InputError(f"{option} {each!r}: no folder has the layout {layout!r}: {nearest(layout, own_layouts)}")
        try:
            found[key] = tomllib.loads(f"value = {text}")["value"]
        except ValueError:  # not TOML, or a number of too many digits
            found[key] = text
    return found


def settings_of(layout: str, settings: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Those of the settings that are for a layout: without the name of one, and with this layout's."""
    common = {key: value for key, value in settings.items() if "." not in key}
    own = {key.removeprefix(f"{layout}."): value for key, value in settings.items() if key.startswith(f"{layout}.")}
    return common | own


def label_of(folder: Path) -> str:
    """A label for the arm of a folder: its name, in the letters that a label may have."""
    return "-".join(re.findall("[A-Za-z0-9]+", folder.absolute().name))[:60].strip("-") or "renders"


def _layout(renders: Renders) -> dict[str, JsonValue]:
    return {"name": renders.layout, **renders.settings}


def _print_counts(study: Study, label: str, store: RunStore, console: Console, *, hint: bool) -> None:
    renders = study.pinned.imports.get(label, ()) if study.pinned else ()
    prompts = len({each.prompt_id for each in renders})
    line = f"{study.name}: {label}: {len(renders)} renders of {prompts} prompts are in {store.folder}"
    print_line(console, f"{line}; next: sdibench score {as_argument(store.folder)}, then report" if hint else line)

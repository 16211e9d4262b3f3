"""Specification of a figure, and the kinds of figures by name.

Every kind is a function ``(frames, **options) -> Draw``: it computes all numbers once, and the result draws them in a
theme.  It raises ``NothingToDraw`` if the study has no data for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from reports.figures.arms import arms
from reports.figures.curves import curves
from reports.figures.differences import differences
from reports.figures.drawing.nothing_to_draw import NothingToDraw, draw_note
from reports.figures.drawing.style import Draw
from reports.figures.error_by_timestep import error_by_timestep
from reports.figures.outcomes import outcomes
from reports.figures.overview import overview
from reports.figures.pareto import pareto
from reports.figures.profiles import profiles
from reports.figures.spectrum import spectrum
from reports.figures.sweep import sweep
from reports.figures.time_to_quality import time_to_quality
from reports.frames import ReportError, ReportFrames
from reports.statistics.constants import LEVEL_TEXT
from reports.statistics.values import MIN_PROMPTS


@dataclass(frozen=True)
class FigureSpec:
    """A figure of a report."""

    name: str
    """Name of its files, without an extension."""
    kind: str
    """Name in ``KINDS``."""
    title: str
    """Heading on the page."""
    caption: str = ""
    """Explanation below the figure."""
    metrics: tuple[str, ...] = ()
    """Columns of scores or costs, a panel each."""
    x: str = ""
    """Path of the varied number in a cell's settings, such as ``render.resolution`` (sweep)."""
    x_label: str = ""
    """Label of its axis (sweep)."""
    logarithmic: bool = False
    """Whether that axis is logarithmic (sweep)."""
    baseline: str = ""
    """Label of the arm that others are compared with (differences)."""
    own_baselines: Mapping[str, str] = field(default_factory=dict)
    """Label of another arm that an arm is compared with, by that arm's label (differences)."""


@dataclass(frozen=True)
class Kind:
    """A kind of figure."""

    make: Callable[..., Draw]
    """Function ``(frames, **options) -> Draw``."""
    options: tuple[str, ...] = ()
    """Fields of ``FigureSpec`` that it takes."""
    how_to_read: str = ""
    """A sentence on its marks, for the caption of a figure that a study asks for."""


#: Every kind of figure by name.
KINDS: Final = {
    "overview": Kind(overview, ("metrics",)),
    "differences": Kind(differences, ("metrics", "baseline", "own_baselines")),
    "pareto": Kind(pareto, ("metrics",)),
    "time_to_quality": Kind(time_to_quality, ("metrics",)),
    "profiles": Kind(profiles, ("metrics",)),
    "spectrum": Kind(spectrum),
    "outcomes": Kind(outcomes),
    "curves": Kind(curves),
    "sweep": Kind(
        sweep,
        ("metrics", "x", "x_label", "logarithmic"),
        f"Large marks are means over prompts, thin bars their {LEVEL_TEXT} intervals (from {MIN_PROMPTS} prompts on), "
        "small dots prompts; a mark is hollow if the method lacks prompts. A horizontal line is an arm without this "
        "number, with its mark at the right.",
    ),
    "arms": Kind(arms, ("metrics",)),
    "error_by_timestep": Kind(error_by_timestep),
}


def explained(spec: FigureSpec) -> FigureSpec:
    """Add what the marks of its kind are to the caption."""
    kind = KINDS.get(spec.kind)
    return replace(spec, caption=" ".join(filter(None, (spec.caption, kind.how_to_read if kind else ""))))


def make_figure(frames: ReportFrames, spec: FigureSpec) -> Draw:
    """Compute the numbers of a figure.

    Raises:
        NothingToDraw: If the study has no data for it.
        ReportError: If it names something that the study does not have.
    """
    if spec.kind not in KINDS:
        raise ReportError(f"figure {spec.name!r}: kind {spec.kind!r} is not one of {', '.join(KINDS)}")
    kind = KINDS[spec.kind]
    try:
        return kind.make(frames, **{option: getattr(spec, option) for option in kind.options})
    except NothingToDraw:
        raise
    except ReportError as error:
        raise ReportError(f"figure {spec.name!r}: {error}") from error


def make_or_explain(frames: ReportFrames, spec: FigureSpec) -> Draw:
    """Compute the numbers of a figure; without data for it, the result draws a sentence that says why.

    Raises:
        ReportError: If it names something that the study does not have.
    """
    try:
        return make_figure(frames, spec)
    except NothingToDraw as nothing:
        return partial(draw_note, f"Nothing to draw: {nothing}.")

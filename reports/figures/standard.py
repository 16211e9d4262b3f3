"""The figures that every study gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from reports.baselines import Baselines
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import Draw
from reports.figures.spec import FigureSpec, make_figure
from reports.frames import DIVERGED, ReportFrames, listed
from reports.statistics.constants import LEVEL_TEXT
from reports.tables.columns import headline_scores

_FEW: Final = "with too few prompts for one, prompts are faint points."
_HOLLOW: Final = "Hollow marks lack prompts, so their mean is over easier or harder ones than the others'."

#: In the order of the page; ``{baseline}`` in a text is the name of the baseline, ``{baselines}`` that of all of them.
STANDARD: Final = (
    FigureSpec(
        "overview",
        "overview",
        "Scores of every method",
        f"Mean over prompts with its {LEVEL_TEXT} interval; {_FEW} {_HOLLOW} Vertical lines are images that no method "
        "made: a method should be better than blank, noise and the render of another prompt, and can hardly be better "
        "than the prior's own images. Overlapping intervals do not say that two methods are equally good: see the "
        "differences.",
    ),
    FigureSpec(
        "differences",
        "differences",
        "Differences to {baselines}",
        f"Mean of method − {{baseline}} on the same prompt and seed, with its {LEVEL_TEXT} interval; faint points are "
        "prompts. An interval without zero is no verdict alone: the table of differences also asks that p, corrected "
        "for the number of methods, is small. "
        f"{_HOLLOW}",
    ),
    FigureSpec(
        "quality-against-cost",
        "pareto",
        "Quality against cost",
        "Low costs are at the left, and the step line is the Pareto front of the means: a method off the line costs as "
        f"much as another that scores better. Bars are {LEVEL_TEXT} intervals over prompts in both directions; {_FEW} "
        f"{_HOLLOW}",
    ),
    FigureSpec(
        "time-to-quality",
        "time_to_quality",
        "Quality during the optimisation",
        "Mean score of a few views at several steps, on the prompts that every method shown completed; bands are "
        f"{LEVEL_TEXT} intervals over prompts (with too few prompts, a thin line per prompt). The large mark is the "
        "end, over all views of the evaluation, so the dotted line to it is also a change of views.",
    ),
    FigureSpec(
        "spectrum",
        "spectrum",
        "Power spectrum",
        "Power of the renders' luminance by octave, relative to the reference (the truth, or where it is not known the "
        "prior's own images): the line at 100 %. Lines are geometric means over prompts, bands their "
        f"{LEVEL_TEXT} intervals; {_FEW} Below the line at the right, fine structures are smoothed away; above it "
        "there is more than there should be, noise included. Dashed lines are images that no method made, if near.",
    ),
    FigureSpec(
        "profiles",
        "profiles",
        "Performance profiles",
        "Share of prompts on which a method is better than τ; higher is better throughout, and if two lines cross "
        f"neither method is better for all prompts. Diverged cells are better than no τ. Bands are {LEVEL_TEXT} "
        "intervals at each τ alone.",
    ),
    FigureSpec(
        "outcomes",
        "outcomes",
        "How the cells ended",
        f"Cells by status. {listed(DIVERGED, 'and')} are divergence of the optimisation; cells that ran out of memory "
        "or time or crashed say nothing about a method's stability and have a panel of their own.",
    ),
    FigureSpec(
        "curves",
        "curves",
        "Loss and opacity",
        "Thin lines are cells, dashed ones diverged; the thick line is the mean of the completed cells. Each method "
        "has its own loss, so losses cannot be compared across panels.",
    ),
)


def standard_figures(
    frames: ReportFrames, *, baseline: str, own_baselines: Mapping[str, str] | None = None
) -> list[tuple[FigureSpec, Draw]]:
    """Compute the standard figures of a study, without those that have no data.

    They show every headline metric.  All numbers are computed here, once; drawing in another theme or format computes
    nothing again.

    Args:
        frames: The study's results.
        baseline: Label of the arm that others are compared with.
        own_baselines: Label of another arm that an arm is compared with, by that arm's label.

    Raises:
        ReportError: If a baseline is not a method.
    """
    baselines = Baselines(baseline, own_baselines or {})
    metrics = tuple(column.key for column in headline_scores(frames))
    found = []
    for template in STANDARD:
        title = template.title.replace("{baselines}", baselines.title)
        caption = template.caption.replace("{baseline}", baselines.name)
        if template.kind == "differences":
            caption = " ".join([caption, *baselines.listed])
        spec = replace(template, title=title, caption=caption)
        spec = replace(spec, metrics=metrics, baseline=baseline, own_baselines=baselines.own)
        try:
            found.append((spec, make_figure(frames, spec)))
        except NothingToDraw:
            continue
    return found

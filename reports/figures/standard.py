"""The figures that every study gets, whatever it asks for beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from reports.figures.curves import curves
from reports.figures.differences import differences
from reports.figures.nothing_to_draw import NothingToDraw
from reports.figures.outcomes import outcomes
from reports.figures.overview import Published, overview
from reports.figures.pareto import pareto
from reports.figures.profiles import profiles
from reports.figures.style import Draw
from reports.figures.time_to_quality import time_to_quality
from reports.frames import ReportFrames


@dataclass(frozen=True)
class StandardFigure:
    """A figure with what stands around it; ``style.svg`` and ``style.pdf`` take its ``draw``."""

    name: str  # of its files
    title: str  # heading on the page
    caption: str  # what to look for
    draw: Draw


def standard_figures(
    frames: ReportFrames, *, baseline: str, published: Published | None = None
) -> list[StandardFigure]:
    """The figures of a study in their order on the page, without those that have nothing to show.

    All numbers are computed here, once; drawing in another theme or format computes nothing again.

    Args:
        frames: The study's results.
        baseline: Label of the arm that others are compared with.
        published: A paper's means and SDs by metric and method, shown beside the study's own.

    Raises:
        ReportError: If the baseline is not a method.
    """
    found = []
    for name, title, caption, made in _candidates(frames, baseline, published):
        try:
            found.append(StandardFigure(name, title, caption, made()))
        except NothingToDraw:
            continue
    return found


def _candidates(
    frames: ReportFrames, baseline: str, published: Published | None
) -> Iterator[tuple[str, str, str, Callable[[], Draw]]]:
    every = [str(metric) for metric in frames.metric_columns["metric"]]
    main = _present(every, "clip_score", "image_reward")
    yield (
        "overview",
        "Scores of every method",
        f"Mean over prompts with its 95 % interval; {_FEW} {_HOLLOW} Vertical lines are pictures that no method made: "
        "a method should lie beyond blank, noise and the picture of another prompt, and can hardly pass the prior's "
        "own pictures. Overlapping intervals do not say that two methods are alike: see the differences.",
        partial(overview, frames, metrics=every, published=published),
    )
    yield (
        "differences",
        f"Differences to {baseline}",
        f"Mean of method − {baseline} on the same prompt and seed, with its 95 % interval; faint points are prompts. "
        f"An interval that leaves the zero line free is a difference that other prompts should show too. {_HOLLOW}",
        partial(differences, frames, baseline=baseline, metrics=every),
    )
    yield (
        "quality-against-cost",
        "Quality against cost",
        f"Cheap is left, and the step line is the Pareto front of the means: a method off the line costs as much as "
        f"another that scores better. Bars are 95 % intervals over prompts both ways; {_FEW} {_HOLLOW}",
        partial(pareto, frames, metrics=main),
    )
    yield (
        "time-to-quality",
        "Quality on the way",
        "Mean score of a few views at steps on the way, on the prompts that every method shown completed; bands are "
        "95 % intervals over prompts (too few prompts: a thin line each). The large mark is the end, over all views "
        "of the evaluation, so the dotted way to it is also a change of views.",
        partial(time_to_quality, frames, metrics=main),
    )
    yield (
        "profiles",
        "Performance profiles",
        "Share of prompts on which a method is better than τ; higher is better throughout, and where two lines cross "
        "neither method is better for all prompts. Diverged cells are better than no τ. Bands are 95 % intervals at "
        "each τ by itself.",
        partial(profiles, frames, metrics=_present(every, *main, "psnr")),
    )
    yield (
        "outcomes",
        "How the cells ended",
        "Cells by status. nan, empty, opaque and frozen are divergence of the optimisation; cells that ran out of "
        "memory or time or crashed say nothing about a method's stability and stand apart.",
        partial(outcomes, frames),
    )
    yield (
        "curves",
        "Loss and opacity",
        "Thin lines are cells, dashed ones diverged; the thick line is the mean of the completed. Each method has a "
        "loss of its own, so losses do not compare across panels.",
        partial(_curves, frames),
    )


_FEW = "where there are too few prompts for one, prompts are faint points."
_HOLLOW = "Hollow marks lack prompts, so their mean is over easier or harder ones than the rest's."


def _present(every: Sequence[str], *wanted: str) -> list[str]:
    """Those of ``wanted`` that the study has; its first metric where it has none."""
    return [metric for metric in wanted if metric in every] or list(every[:1])


def _curves(frames: ReportFrames) -> Draw:
    if frames.events.empty:
        raise NothingToDraw("no step was logged")
    return partial(curves, frames)

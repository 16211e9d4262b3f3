"""Means over prompts with their intervals, as marks in a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes

from reports.figures.looks import Look
from reports.figures.style import Theme
from reports.statistics import Estimate, prompt_bootstrap
from reports.statistics.values import Floats, prompt_means

#: Of the resamples: figures of one report and another resample the same prompts.
SEED: Final = 0


@dataclass(frozen=True)
class Mark:
    """A number of one method."""

    method: str
    prompts: Floats  # mean over seeds of each prompt that has a value
    estimate: Estimate  # of the mean over prompts
    whole: bool  # whether every prompt of the study is behind it

    @classmethod
    def of(cls, method: str, values: Floats) -> Mark:
        """The mark of ``values``, (prompts, seeds), NaN where a cell has none."""
        means = prompt_means(values)
        return cls(method, means, prompt_bootstrap(values, SEED), len(means) == len(values))

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Ends of the interval; None where the prompts cannot tell."""
        low, high = self.estimate.interval.low, self.estimate.interval.high
        return None if low is None or high is None else (low, high)

    def fill(self, look: Look, theme: Theme) -> str:
        """Of the mark: hollow where prompts are missing, whose mean is over other prompts than the rest's."""
        return look.colour if self.whole else theme.paper


def draw_rows(axis: Axes, marks: Sequence[Mark], rows: Sequence[float], looks: dict[str, Look], theme: Theme) -> None:
    """A mark with its interval on each row; its prompts as faint points where there is no interval."""
    for mark, row in zip(marks, rows, strict=True):
        look = looks[mark.method]
        if mark.estimate.value is None:
            continue
        if mark.bounds:
            axis.plot(
                mark.bounds, (row, row), color=look.colour, linewidth=1.4, solid_capstyle="butt", label="_interval"
            )
        else:
            draw_prompts(axis, mark, row, look)
        axis.plot(
            mark.estimate.value, row, look.marker, color=look.colour, markerfacecolor=mark.fill(look, theme),
            markersize=5, zorder=3, label="_mean",
        )  # fmt: skip


def draw_prompts(axis: Axes, mark: Mark, row: float, look: Look) -> None:
    """The method's prompts as faint points."""
    axis.plot(
        mark.prompts, [row] * len(mark.prompts), ".", color=look.colour, alpha=0.35, markersize=4, markeredgewidth=0,
        label="_prompts",
    )  # fmt: skip

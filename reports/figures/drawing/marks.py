"""Means over prompts with their intervals, as marks of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from reports.figures.drawing.looks import Look
from reports.figures.drawing.style import Theme
from reports.statistics import Estimate, prompt_bootstrap
from reports.statistics.bootstrap import Statistic
from reports.statistics.constants import SEED
from reports.statistics.values import Floats, prompt_means


@dataclass(frozen=True)
class Mark:
    """A number of one method."""

    method: str
    prompts: Floats  # means over seeds of the prompts that have a value
    estimate: Estimate  # the mean over prompts
    whole: bool  # whether every prompt of the study has a value

    @classmethod
    def of(cls, method: str, values: Floats, statistic: Statistic = np.mean) -> Mark:
        """Make the mark of ``values``, (prompts, seeds), NaN for cells without a value.

        ``statistic`` reduces the prompts to the mark's number.
        """
        means = prompt_means(values)
        return cls(method, means, prompt_bootstrap(values, SEED, statistic=statistic), len(means) == len(values))

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Ends of the interval; None without one."""
        low, high = self.estimate.interval.low, self.estimate.interval.high
        return None if low is None or high is None else (low, high)

    def fill(self, look: Look, theme: Theme) -> str:
        """Return the colour of the mark: hollow if prompts are missing, because its mean is over other prompts."""
        return look.colour if self.whole else theme.paper


def draw_rows(axis: Axes, marks: Sequence[Mark], rows: Sequence[float], looks: dict[str, Look], theme: Theme) -> None:
    """Draw a mark with its interval on each row, or its prompts as faint points without an interval."""
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
    """Draw the method's prompts as faint points."""
    axis.plot(
        mark.prompts, [row] * len(mark.prompts), ".", color=look.colour, alpha=0.35, markersize=4, markeredgewidth=0,
        label="_prompts",
    )  # fmt: skip

"""Differences to numbers of papers, of which only mean, SD and sample size, or a count, are known."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy import stats

from reports.statistics.constants import LEVEL
from reports.statistics.interval import Interval
from reports.statistics.wilson import wilson_interval


class Moments(NamedTuple):
    """Mean, SD and size of a sample, as papers print them."""

    mean: float
    sd: float
    """Standard deviation over the ``n`` independent values, divisor n − 1; not negative."""
    n: int


def welch_interval(ours: Moments, theirs: Moments) -> Interval:
    """Compute Welch's t interval of the difference of two means of independent samples (Welch 1947).

    If the samples share their prompts, their scores are correlated and the true interval is narrower.
    """
    squares = [side.sd**2 / side.n if side.n > 1 else math.nan for side in (ours, theirs)]
    if not all(math.isfinite(square) for square in squares):
        return Interval(reason="fewer than two values on one side")
    if not sum(squares):
        return Interval(reason="no spread on either side")
    parts = [square**2 / (side.n - 1) for square, side in zip(squares, (ours, theirs), strict=True)]
    freedom = sum(squares) ** 2 / sum(parts)
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * math.sqrt(sum(squares))
    difference = ours.mean - theirs.mean
    return Interval(difference - half, difference + half)


def newcombe_interval(ours: tuple[int, int], theirs: tuple[int, int]) -> Interval:
    """Compute the interval of the difference of two shares ``(count, total)`` (Newcombe 1998, method 10).

    Raises:
        ValueError: If a count is not in [0, total].
    """
    sides = [wilson_interval(*side) for side in (ours, theirs)]
    bounds = [(side.low, side.high) for side in sides if side.low is not None and side.high is not None]
    if len(bounds) < 2:
        return Interval(reason="nothing was counted")
    (low, high), (their_low, their_high) = bounds
    share, their_share = ours[0] / ours[1], theirs[0] / theirs[1]
    down = math.hypot(share - low, their_high - their_share)
    up = math.hypot(high - share, their_share - their_low)
    return Interval(share - their_share - down, share - their_share + up)

"""Arrays of scores in which NaN marks a cell without a score."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports.statistics.constants import ALL_THE_SAME

Floats = NDArray[np.float64]

#: Fewest prompts for which an interval is bootstrapped.  Below it no two-sided sign-flip test can reject at 5 %
#: (2 / 2⁵ > .05).
MIN_PROMPTS: Final = 6
#: Scores that differ by less than this share of their size differ by round-off only.
ROUND_OFF: Final = 1e-9


def observed(values: ArrayLike) -> Floats:
    """Remove prompts without a value; ``values`` is (prompts,) or (prompts, seeds), the result (prompts, seeds).

    Raises:
        ValueError: If ``values`` has another number of axes.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2):
        raise ValueError(f"values have the shape {array.shape}, must be (prompts,) or (prompts, seeds)")
    if array.ndim == 1:
        array = array[:, None]
    return array[~np.isnan(array).all(axis=1)]


def prompt_means(values: ArrayLike) -> Floats:
    """Average over the seeds of each prompt that has a value: (prompts with a value,)."""
    array = observed(values)
    with np.errstate(invalid="ignore"):  # ∞ − ∞ is NaN
        return np.asarray(np.nansum(array, axis=1) / np.sum(~np.isnan(array), axis=1))


def why_unknown(values: Floats, *, fewest: int = MIN_PROMPTS) -> str:
    """Say why ``values`` (from ``observed``) allow no inference about other prompts; empty if they do."""
    n = len(values)
    if n == 0:
        return "no prompt has a value"
    if n < fewest:
        return f"{n} prompt{'s' if n > 1 else ''}, at least {fewest} are needed"
    if np.isinf(values).any():
        return "infinite values"
    if np.nanmax(values) - np.nanmin(values) <= ROUND_OFF * np.nanmax(np.abs(values)):
        return ALL_THE_SAME
    return ""

"""Levels, numbers of resamples and the seed of all statistics, which captions take from here."""

from __future__ import annotations

from typing import Final

#: Confidence level of every interval.
LEVEL: Final = 0.95
#: The same for captions.
LEVEL_TEXT: Final = f"{100 * LEVEL:g} %"
#: Level of every test.
ALPHA: Final = 0.05
#: The same for captions.
ALPHA_TEXT: Final = f"{100 * ALPHA:g} %"
#: Power at which a difference counts as detectable.
POWER: Final = 0.8
#: The same for captions.
POWER_TEXT: Final = f"{100 * POWER:g} %"
#: Seed of all resamples and sign vectors, so that a report is the same each time.
SEED: Final = 0
#: Bootstrap resamples of an interval.
RESAMPLES: Final = 10_000
#: Bootstrap resamples of an interval of a performance profile, which has one per threshold.
PROFILE_RESAMPLES: Final = 2_000
#: Sign vectors of a test of one method against the baseline, if they are not enumerated.
FLIPS: Final = 99_999
#: Least number of sign vectors of a test of a pair of methods for rank groups, if they are not enumerated.
RANK_FLIPS: Final = 9_999
#: Reason for a missing interval where values do not differ, so that no resample can.
ALL_THE_SAME: Final = "all values are the same"

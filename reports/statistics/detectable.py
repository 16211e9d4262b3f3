"""What a study of this size could have seen."""

from __future__ import annotations

import math

from scipy import stats


def minimum_detectable_difference(sd: float, prompts: int, *, alpha: float = 0.05, power: float = 0.8) -> float | None:
    """Smallest true mean difference that a two-sided paired test finds with probability ``power``.

    δ = (z₁₋α⁄₂ + z_power) · SD / √n, by the normal approximation (at n = 43 the power is then about 1 % less).

    Args:
        sd: Standard deviation over prompts of the paired differences: measured, or forecast by ``paired_sd``.
        prompts: Number of pairs.
        alpha: Level of the test.
        power: Probability to find the difference.

    Returns:
        In the unit of ``sd``; None below two prompts or without a spread, where nothing can be said.
    """
    if prompts < 2 or not math.isfinite(sd) or sd <= 0:
        return None
    return float((stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)) * sd / math.sqrt(prompts))


def paired_sd(sd: float, correlation: float, *, baseline_sd: float | None = None) -> float:
    """SD of method − baseline over prompts from each one's SD and their correlation over prompts.

    Args:
        sd: SD of the method's scores over prompts.
        correlation: Of the two methods' scores over prompts, in [−1, 1]; 0 where the comparison is not paired.
        baseline_sd: SD of the baseline; as the method's where None.
    """
    other = sd if baseline_sd is None else baseline_sd
    return math.sqrt(max(0.0, sd**2 + other**2 - 2 * correlation * sd * other))

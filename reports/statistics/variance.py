"""Variance components of prompts, seeds and views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.statistics.values import Floats


@dataclass(frozen=True)
class VarianceComponents:
    """Variances in the square of the score's unit.

    Estimates of the method of moments are unbiased and therefore may be negative; the effect is then too small for
    this study to detect.
    """

    prompt: float | None
    """Variance between prompts; includes the seeds' if ``seed`` is None.  None below two prompts."""
    seed: float | None
    """Variance between the seeds of a prompt; None if no prompt has two.  Includes the views' if ``view`` is None."""
    view: float | None
    """Variance between the views of an asset, by azimuth or by chance; None if no asset has two."""
    prompts: int
    """Number of prompts."""
    assets: int
    """Number of prompts × seeds."""
    views: int
    """Number of scores."""
    reason: str = ""
    """Components that could not be separated; empty if all three could."""


def variance_components(scores: pd.DataFrame) -> VarianceComponents:
    """Split the variance of one method's scores: y = μ + prompt + seed in prompt + view in asset.

    Sums of squares of the nested design are equated with their expectations, which also holds for unequal numbers of
    seeds and views (Searle, Casella & McCulloch 1992, section 5.4).

    Args:
        scores: One metric of one method, one row per view: ``prompt_id, seed, value``; NaN is left out.
    """
    rows = scores.loc[np.isfinite(scores["value"].astype(float)), ["prompt_id", "seed", "value"]]
    assets = rows.groupby(["prompt_id", "seed"], sort=False)["value"].agg(["sum", "size"])
    by_prompt = assets.groupby(level="prompt_id", sort=False).sum()
    total, a, b = len(rows), len(by_prompt), len(assets)
    why = [
        text
        for missing, text in (
            (a == 0, "no view has a score"),
            (a == 1, "one prompt"),
            (0 < a == b, "one seed per prompt: the prompts' variance includes the noise of seeds"),
            (0 < b == total, "one view per asset: the seeds' variance includes the noise of views"),
        )
        if missing
    ]
    prompt, seed, view = _split(rows, assets, by_prompt) if a else (None, None, None)
    return VarianceComponents(prompt, seed, view, a, b, total, "; ".join(why))


def _split(
    rows: pd.DataFrame, assets: pd.DataFrame, by_prompt: pd.DataFrame
) -> tuple[float | None, float | None, float | None]:
    values = rows["value"].to_numpy(dtype=np.float64)
    centre = values.mean()  # the sums of squares do not depend on it, only their round-off
    n_ij: Floats = assets["size"].to_numpy(dtype=np.float64)
    n_i: Floats = by_prompt["size"].to_numpy(dtype=np.float64)
    n_of_asset = by_prompt["size"].reindex(assets.index.get_level_values("prompt_id")).to_numpy(dtype=np.float64)
    of_assets = ((assets["sum"].to_numpy() - n_ij * centre) ** 2 / n_ij).sum()
    of_prompts = ((by_prompt["sum"].to_numpy() - n_i * centre) ** 2 / n_i).sum()
    of_views = ((values - centre) ** 2).sum()
    total, a, b = len(values), len(n_i), len(n_ij)
    per_prompt, per_study, prompts = (n_ij**2 / n_of_asset).sum(), (n_ij**2).sum() / total, (n_i**2).sum() / total
    view = float((of_views - of_assets) / (total - b)) if total > b else None
    noise = view or 0.0
    seed = float((of_assets - of_prompts - (b - a) * noise) / (total - per_prompt)) if b > a else None
    prompt = None
    if a > 1:
        between = of_prompts - (per_prompt - per_study) * (seed or 0.0) - (a - 1) * noise
        prompt = float(between / (total - prompts))
    return prompt, seed, view

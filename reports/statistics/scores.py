"""One metric of a study as an array."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reports.frames import DIVERGED, FAILED, ReportError
from reports.statistics.values import Floats


@dataclass(frozen=True)
class StudyScores:
    """Mean of each asset: an array (methods, prompts, seeds), NaN for cells without a score."""

    methods: tuple[str, ...]
    """Labels of the arms, in the study's order."""
    prompts: tuple[str, ...]
    """Slugs of the prompts, in the study's order."""
    seeds: tuple[int, ...]
    """Seeds of the cells."""
    means: Floats
    """Means of the assets, (methods, prompts, seeds)."""

    @classmethod
    def of(cls, assets: pd.DataFrame, cells: pd.DataFrame, metric: str) -> StudyScores:
        """Arrange the scores of ``metric`` from ``reports.means.asset_means`` in the order of ``cells``.

        Raises:
            ReportError: If an asset occurs twice.
        """
        return _arrange(assets[assets["metric"] == metric], cells)

    @classmethod
    def divergence(cls, cells: pd.DataFrame) -> StudyScores:
        """Return 1 for each cell that diverged, 0 if it did not, NaN if it failed or was not run.

        Raises:
            ReportError: If a cell occurs twice.
        """
        ended = cells[~cells["status"].isin(FAILED)]
        return _arrange(ended.assign(value=ended["status"].isin(DIVERGED).astype(float)), cells)

    def method(self, label: str) -> Floats:
        """Return the scores of one arm, (prompts, seeds).

        Raises:
            ReportError: If there is no such arm.
        """
        if label not in self.methods:
            raise ReportError(f"method {label!r} is not one of {', '.join(self.methods)}")
        return self.means[self.methods.index(label)]

    def of_prompts(self, chosen: list[str]) -> StudyScores:
        """Select prompts, in this study's order."""
        kept = [index for index, prompt in enumerate(self.prompts) if prompt in chosen]
        return replace(self, prompts=tuple(self.prompts[index] for index in kept), means=self.means[:, kept])


def _arrange(rows: pd.DataFrame, cells: pd.DataFrame) -> StudyScores:
    keys = ["method", "prompt_id", "seed"]
    twice = rows[rows.duplicated(keys)]
    if not twice.empty:
        raise ReportError(f"cell {twice.iloc[0][keys].to_dict()} occurs twice, must be unique")
    methods, prompts, seeds = (tuple(dict.fromkeys(cells[key].tolist())) for key in keys)
    grid = pd.MultiIndex.from_product([methods, prompts, seeds], names=keys)
    values = rows.set_index(keys)["value"].reindex(grid).to_numpy(dtype=np.float64)
    return StudyScores(methods, prompts, seeds, values.reshape(len(methods), len(prompts), len(seeds)))

"""Input of a report: data frames, whose columns are declared here and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

#: The optimisation ended in a scene without useful content; counted by Div. %.
DIVERGED: Final = ("nan", "empty", "opaque", "frozen")
#: The cell ended for a reason of the machine, which says nothing about the method's stability.
FAILED: Final = ("oom", "timeout", "crashed")
STATUSES: Final = ("completed", *DIVERGED, *FAILED)
#: The ``view`` of a score that is the mean over all views.
ALL_VIEWS: Final = -1
#: The ``method`` of the rows of ``views`` that show the right answer of a prompt.
GROUND_TRUTH: Final = "ground truth"

CELLS: Final[Mapping[str, str]] = {
    "cell": "identity of the cell (hash), unique",
    "method": "label of the arm",
    "prompt_id": "slug of the prompt",
    "prompt": "text of the prompt",
    "seed": "seed of the cell's random streams",
    "settings": "everything that decides the cell's numbers, as JSON",
    "status": "one of STATUSES",
    "provenance": "'measured' for cells that this suite ran, 'imported' for renders that were made elsewhere",
    "steps": "optimisation steps done; None, as all costs are, for imported cells",
    "seconds": "wall time of the whole cell, s",
    "optimise_seconds": "wall time of the optimisation alone, s",
    "peak_bytes": "peak memory, bytes; on a GPU that of optimisation and evaluation, without the preparation",
    "reserved_bytes": "most reserved by torch's allocator in the same phases, bytes; None on a CPU",
    "energy_joules": "energy drawn by the device, J; None where it has no counter",
    "attempts": "number of times the cell was started",
    "prior_sha256": "hash of the prior's weights",
    "mesh_path": "path of the scene's mesh (GLB), or None",
    "peak_kind": "what peak_bytes counts: 'cuda' (allocated by torch) or 'rss' (resident memory of the process)",
    "unet_calls": "evaluations of the prior's network (a batch counts once)",
    "unet_rows": "batch rows evaluated by the prior's network",
    "device": "name of the hardware",
    "git_commit": "commit of the code that ran the cell",
    "git_dirty": "whether the working tree differed from the commit",
    "folder": "path of the cell's record",
    "failure": "reason of the failure, None for completed cells",
}
SCORES: Final[Mapping[str, str]] = {
    "cell": "identity of the cell",
    "method": "label of the arm",
    "prompt_id": "slug of the prompt",
    "prompt": "text of the prompt",
    "seed": "seed of the cell",
    "view": "index of the evaluation view, or ALL_VIEWS",
    "azimuth_deg": "azimuth of the view, degrees; 0 looks at the front",
    "metric": "name of the metric's column, one of metric_columns.metric",
    "value": "the view's score before scaling; NaN where the metric is not defined for the view",
}
EVENTS: Final[Mapping[str, str]] = {
    "cell": "identity of the cell",
    "method": "label of the arm",
    "prompt_id": "slug of the prompt",
    "seed": "seed of the cell",
    "step": "optimisation step",
    "loss": "the method's loss",
    "timestep": "diffusion timestep of the step",
    "log_snr": "log of the signal-to-noise ratio α²/σ² at that timestep; NaN in records from before it was logged",
    "opacity": "mean opacity of the step's render, in [0, 1]",
    "fixed_point_error": "error of eq. 8 of arXiv 2405.15891, of the clean image; NaN for methods without a noise",
    "seconds": "wall time since the start of the optimisation, s",
    "unet_calls": "network evaluations since the start",
}
VIEWS: Final[Mapping[str, str]] = {
    "cell": "identity of the cell (empty for the ground truth)",
    "method": "label of the arm, or GROUND_TRUTH",
    "prompt_id": "slug of the prompt",
    "seed": "seed of the cell (any for the ground truth)",
    "view": "index of the evaluation view",
    "azimuth_deg": "azimuth of the view, degrees; 0 looks at the front",
    "rgb_path": "path of the colour image",
    "opacity_path": "path of the opacity image, or None",
    "normal_path": "path of the image of the normals, or None",
}
SNAPSHOTS: Final[Mapping[str, str]] = {
    "cell": "identity of the cell",
    "method": "label of the arm",
    "prompt_id": "slug of the prompt",
    "seed": "seed of the cell",
    "step": "optimisation steps done before it",
    "seconds": "wall time of those steps, s",
    "view": "index of the view",
    "metric": "name of the metric's column, one of metric_columns.metric",
    "value": "the view's score before scaling; NaN where the metric is not defined for the view",
}
CONTROLS: Final[Mapping[str, str]] = {
    "control": "name of the control, such as noise",
    "title": "label of the control in tables and figures",
    "prompt_id": "slug of the prompt",
    "prompt": "text of the prompt",
    "view": "index of the evaluation view",
    "azimuth_deg": "azimuth of the view, degrees; 0 looks at the front",
    "metric": "name of the metric's column, one of metric_columns.metric",
    "value": "the view's score before scaling; NaN where the metric is not defined for the view",
    "rgb_path": "path of the colour image",
}
METRIC_COLUMNS: Final[Mapping[str, str]] = {
    "metric": "name of the column in scores.metric, unique",
    "title": "heading",
    "unit": "unit after scaling, or empty",
    "direction": "which printed values are better: 'higher', 'lower', 'target', or None (neither)",
    "target": "the best printed value for the direction 'target', else None",
    "decimals": "digits after the point",
    "scale": "factor from the stored to the printed value",
    "mean": "how prompts are averaged: 'arithmetic', or 'geometric' for ratios, which are compared by their logarithm",
    "group": "'image' for scores of images, 'truth' for distances to their truth, 'spectrum' for points of a curve",
    "headline": "whether tables and figures show it, or only files and prompt pages",
    "card": "JSON of the metric's card",
}
#: Names that no metric's column can have.
RESERVED: Final = frozenset((*CELLS, *SCORES, *CONTROLS))
_COLUMNS: Final = {
    "cells": CELLS,
    "scores": SCORES,
    "events": EVENTS,
    "views": VIEWS,
    "metric_columns": METRIC_COLUMNS,
    "snapshots": SNAPSHOTS,
    "controls": CONTROLS,
}


def listed(names: Iterable[str], last: str = "or") -> str:
    """Join names for a sentence: ``a, b or c``."""
    *first, final = names
    return f"{', '.join(first)} {last} {final}" if first else final


def _no_rows(columns: Mapping[str, str]) -> Callable[[], pd.DataFrame]:
    return lambda: pd.DataFrame(columns=list(columns))


class ReportError(ValueError):
    """The frames cannot be reported; the message is one line that says what is wrong and what is expected."""


@dataclass(frozen=True)
class ReportFrames:
    """The results of a study.  Each frame has at least the columns of the mapping in this module that has its name.

    Raises:
        ReportError: If a column is missing, a status or metric is unknown, or an identity occurs twice.
    """

    cells: pd.DataFrame  # a row for each cell, in the study's order
    scores: pd.DataFrame  # a row for each cell × view × metric column
    events: pd.DataFrame  # a row for each logged step
    views: pd.DataFrame  # a row for each evaluation view
    metric_columns: pd.DataFrame  # a row for each metric column
    snapshots: pd.DataFrame = field(default_factory=_no_rows(SNAPSHOTS))  # scores during the optimisation
    controls: pd.DataFrame = field(default_factory=_no_rows(CONTROLS))  # scores of images that no method made

    def __post_init__(self) -> None:
        for name, columns in _COLUMNS.items():
            frame: pd.DataFrame = getattr(self, name)
            for column, meaning in columns.items():
                if column not in frame.columns:
                    raise ReportError(f"{name}: column {column!r} ({meaning}) is missing")
        if self.cells.empty:
            raise ReportError("cells: no rows, so there is nothing to report")
        for name, keys in (("cells", ["cell"]), ("metric_columns", ["metric"]), ("scores", ["cell", "view", "metric"])):
            frame = getattr(self, name)
            if _has_twice(frame, keys):
                twice = frame[frame.duplicated(keys)]
                raise ReportError(f"{name}: {twice.iloc[0][keys].to_dict()} occurs twice, must be unique")
        if taken := [metric for metric in self.metric_columns["metric"] if metric in RESERVED]:
            raise ReportError(f"metric_columns.metric: {taken[0]!r} is a name of the report's own columns")
        _refuse("cells.status", self.cells["status"], STATUSES)
        _refuse("scores.metric", self.scores["metric"], tuple(self.metric_columns["metric"]))

    @property
    def methods(self) -> list[str]:
        """Labels of the arms, in the study's order."""
        return list(dict.fromkeys(self.cells["method"]))

    @property
    def control_titles(self) -> dict[str, str]:
        """Label of each control by its name, in the order of the frame."""
        return dict(zip(self.controls["control"], self.controls["title"], strict=True))

    @property
    def prompts(self) -> dict[str, str]:
        """Text of each prompt by its slug, in the study's order."""
        return dict(zip(self.cells["prompt_id"], self.cells["prompt"], strict=True))


def _has_twice(frame: pd.DataFrame, keys: list[str]) -> bool:
    """Say whether two rows have the same ``keys``, by sorting one number per row: there may be millions."""
    codes = np.zeros(len(frame), np.int64)
    for key in keys:
        own, distinct = _number(frame[key])
        codes *= distinct
        codes += own
    codes.sort()
    return bool((codes[1:] == codes[:-1]).any())


def _number(values: pd.Series) -> tuple[np.ndarray, int]:
    """Replace values by numbers from 0; also return a bound above them."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.cat.codes.to_numpy() + 1, len(values.cat.categories) + 1  # 0 for a missing one
    if values.dtype.kind == "i" and len(values) and (span := int(values.max()) - int(values.min())) < 2**31:
        return values.to_numpy() - values.min(), span + 1
    own, distinct = pd.factorize(values, use_na_sentinel=False)
    return own, len(distinct)


def _refuse(name: str, values: pd.Series, known: tuple[str, ...]) -> None:
    unknown = sorted(set(values.unique()) - set(known))
    if unknown:
        raise ReportError(f"{name}: {unknown[0]!r} is not one of {', '.join(known)}")

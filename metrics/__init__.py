"""Scores of rendered views: CLIP Score, CLIP-IQA, ImageReward, R-precision and, in the toybox, the ground truth.

A metric is a class in a file of its own, registered by name, and built with the suite of models that scores
(``metrics["clip_score"]("toybox")``).  It sees images and text only, never a scene or a method.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from methods.registry import Registry
from metrics.card import Column, MetricCard
from metrics.suites import Role, Suite, suites
from metrics.views import TruthViews, Views

__all__ = ["PYIQA", "Column", "Metric", "MetricCard", "Suite", "TruthViews", "Views", "metrics", "suites"]


class Metric(Protocol):
    """A score of rendered views."""

    columns: tuple[Column, ...]
    """Its scores, as far as they are known before it is loaded."""
    card: MetricCard
    """Its definition, with the columns of the metric as it is loaded."""
    role: Role | None
    """The model of the suite that it needs, so that a study without it is refused at once; None for none."""

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        """Load what the metric needs of a suite of models (a name such as ``"toybox"``), to compute on ``device``."""
        ...

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Float64 scores ``(n,)`` of the ``n`` views by column; ``{}`` where the metric does not apply.

        Args:
            views: The evaluation views of one scene.
            prompt: The text that the scene was made from, verbatim, without view words.
            candidates: The texts that R-precision chooses from: all of the prompt set, ``prompt`` among them.
        """
        ...


class MetricRegistry(Registry[type[Metric]]):
    """Metrics by name; ``pyiqa:NAME`` is any metric of the package pyiqa that needs no reference image."""

    def __getitem__(self, name: str) -> type[Metric]:
        """The metric of that name.

        Raises:
            UnknownNameError: If there is none, or the package that has it is not installed.
        """
        if name.startswith(PYIQA):
            from metrics.pyiqa_metric import pyiqa_metric

            return pyiqa_metric(name.removeprefix(PYIQA))
        return super().__getitem__(name)

    def __contains__(self, name: str) -> bool:
        return name.startswith(PYIQA) or super().__contains__(name)


#: What the names of pyiqa's metrics begin with.
PYIQA = "pyiqa:"

#: Every metric by name.
metrics = MetricRegistry("metric", "metrics")

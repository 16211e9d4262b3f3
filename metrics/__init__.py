"""Scores of rendered views: CLIP Score, CLIP-IQA, ImageReward, R-precision and, in the toybox, the ground truth.

A metric is a class in a file of its own, registered by name, and built with the suite of models that scores
(``metrics["clip_score"]("toybox")``).  It sees images and text only, never a scene or a method.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from methods.registry import RegistrationError, Registry
from metrics.card import Column, MetricCard
from metrics.suites import Role, Suite, suites
from metrics.views import TruthViews, Views

__all__ = ["PYIQA", "Column", "Metric", "MetricCard", "ReadsText", "Suite", "TruthViews", "Views", "metrics", "suites"]


class Metric(Protocol):
    """A score of rendered views."""

    columns: tuple[Column, ...]
    """The columns of its scores: all of their names, and the rest as far as it is known before it is loaded."""
    card: MetricCard
    """The definition of the loaded metric, with its columns."""
    role: Role | None
    """The model of the suite that the metric needs, checked before a study starts; None without a model."""

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        """Load the models of a suite (a name such as ``"toybox"``) onto ``device``."""
        ...

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score ``n`` views: float64 ``(n,)`` by column, or ``{}`` if the metric does not apply.

        Args:
            views: The evaluation views of one scene.
            prompt: The text that the scene was made from, verbatim, without view words.
            candidates: The texts that R-precision chooses from: all of the prompt set, including ``prompt``.
        """
        ...


@runtime_checkable
class ReadsText(Protocol):
    """A further member of a metric whose model reads a limited number of tokens."""

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that the model does not read; 0 if the text fits."""
        ...


@runtime_checkable
class NeedsOwnModel(Protocol):
    """A further member of a metric whose model belongs to no suite."""

    @staticmethod
    def check() -> None:
        """Raise a ``WeightsMissingError`` if the model is not here; loads nothing."""
        ...


class MetricRegistry(Registry[type[Metric]]):
    """Metrics by name; ``pyiqa:NAME`` is any metric of the package pyiqa that needs no reference image."""

    def _check(self, name: str, thing: type[Metric]) -> None:
        for member, example in (("columns", 'a tuple of Column("x", …)'), ("role", "None without a model")):
            if not hasattr(thing, member):
                raise RegistrationError(
                    f"metric {name!r}: {thing.__module__}.{thing.__qualname__} has no {member} ({example})"
                )

    def __getitem__(self, name: str) -> type[Metric]:
        """Look a metric up.

        Raises:
            UnknownNameError: If no metric has the name, or its package is not installed.
        """
        if name.startswith(PYIQA):
            from metrics.pyiqa_metric import pyiqa_metric

            return pyiqa_metric(name.removeprefix(PYIQA))
        return super().__getitem__(name)

    def __contains__(self, name: str) -> bool:
        return name.startswith(PYIQA) or super().__contains__(name)


#: Prefix of the names of pyiqa's metrics.
PYIQA = "pyiqa:"

#: Every metric by name.
metrics = MetricRegistry("metric", "metrics")

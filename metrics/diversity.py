"""Diversity: how different the assets of one prompt are that a method makes from different seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.models.clip import preprocessing_of
from metrics.models.suite_models import suite_clip
from metrics.suites import Role, Suite, find_suite
from metrics.views import Views

Floats = NDArray[np.float64]


@metrics.register("diversity")
class Diversity:
    """One minus the mean cosine of CLIP's features of the same view, over all pairs of seeds.

    The idea is that of the works that claim diversity (such as CFD, arXiv 2501.05445), which measure it in other ways.
    """

    columns: tuple[Column, ...] = (Column(name="diversity", title="Diversity", unit="100·(1 − cos)", scale=100),)
    role: Role | None = "clip"

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self._clip = suite_clip(suite, "clip", device)
        self.card = MetricCard(
            columns=self.columns,
            name="diversity",
            title="Diversity over seeds",
            checkpoint=suite.checkpoint("clip"),
            weights_sha256=self._clip.weights_sha256,
            preprocessing=preprocessing_of(self._clip.image_size, suite.models["clip"].preprocessing),
            description="1 − the mean cosine of CLIP's image features of a view and of the same view of the arm's "
            "other seeds that completed; the mean over views and seeds is 1 − the mean over all pairs of seeds. 0 is "
            "the same asset from every seed. It is no quality: noise is diverse, and so are a good and a failed asset; "
            "read it next to the scores of the prompt. Objects that face different ways count as different. The "
            "prior's own images (control prior_2d) are compared with those of the same view words, each a draw of its "
            "own: what the prior has without a 3D scene. No value for a single seed.",
            uses_seeds=True,
        )

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)`` in [0, 2]; ``{}`` if there is nothing to compare them with."""
        if views.texts is not None:
            alike = np.array([[text == other for other in views.texts] for text in views.texts])
            distances = _distances_within(self._features(views.rgb), alike)
            return {} if np.isnan(distances).all() else {"diversity": distances}
        if not views.others:
            return {}
        own = self._features(views.rgb)
        cosines = [(own * self._features(rgb)).sum(axis=1) for rgb in views.others]
        return {"diversity": 1 - np.mean(cosines, axis=0)}

    def _features(self, rgb: np.ndarray) -> Floats:
        features: Floats = self._clip.image_features(rgb).double().numpy()
        return features


def _distances_within(features: Floats, alike: NDArray[np.bool_]) -> Floats:
    """Compute 1 − the mean cosine of each of the features ``(n d)`` with the others that are ``alike`` ``(n n)``.

    Returns:
        Distances ``(n,)``; NaN where there is no other.
    """
    others = alike & ~np.eye(len(features), dtype=bool)
    counts = others.sum(axis=1)
    sums: Floats = np.where(others, features @ features.T, 0).sum(axis=1)
    return 1 - np.divide(sums, counts, out=np.full(len(features), np.nan), where=counts > 0)

"""CLIP Score: how well a view shows its prompt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.models.clip import preprocessing_of
from metrics.models.suite_models import suite_clip
from metrics.suites import Role, Suite, find_suite
from metrics.views import Views


@metrics.register("clip_score")
class ClipScore:
    """100 · cos(image features, text features), as in torchmetrics, but with its sign and for each view.

    Source: Hessel et al., arXiv 2104.08718, without its prefix, factor 2.5 and clamping.
    """

    columns: tuple[Column, ...] = (Column(name="clip_score", title="CLIP", unit="100·cos"),)
    role: Role | None = "clip"

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self._clip = suite_clip(suite, "clip", device)
        self.card = MetricCard(
            columns=self.columns,
            name="clip_score",
            title="CLIP Score",
            checkpoint=suite.checkpoint("clip"),
            weights_sha256=self._clip.weights_sha256,
            preprocessing=preprocessing_of(self._clip.image_size, suite.models["clip"].preprocessing),
            description="100 · cosine of CLIP's image and text features in fp32; the prompt verbatim, without prefix "
            "or view words; no clamping, so a view can score below 0. Mean over views, then over prompts.",
        )

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that the model does not read; 0 if the text fits."""
        return self._clip.tokens_cut(text)

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)`` in [−100, 100]."""
        cosines = self._clip.image_features(views.rgb) @ self._clip.text_features([prompt])[0]
        return {"clip_score": 100 * cosines.double().numpy()}

"""PickScore: a CLIP that was trained on which of two images of their prompt people picked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.models.clip import preprocessing_of
from metrics.models.suite_models import suite_clip
from metrics.suites import Role, Suite, find_suite
from metrics.views import Views


@metrics.register("pick_score")
class PickScore:
    """Logit of image and text: exp(logit scale) · cos, about 20; not a share among several images.

    Source: Kirstain et al., arXiv 2305.01569.
    """

    columns: tuple[Column, ...] = (Column(name="pick_score", title="PickScore"),)
    role: Role | None = "pick"

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self._clip = suite_clip(suite, "pick", device)
        model = suite.models["pick"]
        card = MetricCard(
            columns=self.columns,
            name="pick_score",
            title="PickScore",
            checkpoint=suite.checkpoint("pick"),
            weights_sha256=self._clip.weights_sha256,
            preprocessing=preprocessing_of(self._clip.image_size, model.preprocessing),
            description=f"exp(logit scale) · cosine of the features of image and prompt, with exp(logit scale) = "
            f"{self._clip.logit_scale:.1f}, by a CLIP that was fine-tuned on which of two images people picked. The "
            "raw logit, about 20; papers that print a value in [0, 1] give the softmax over the compared images.",
        )
        self.card = card.as_stand_in() if model.stand_in else card

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that the model does not read; 0 if the text fits."""
        return self._clip.tokens_cut(text)

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)``."""
        cosines = self._clip.image_features(views.rgb) @ self._clip.text_features([prompt])[0]
        return {"pick_score": self._clip.logit_scale * cosines.double().numpy()}

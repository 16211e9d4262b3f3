"""HPSv2.1: a CLIP that was trained on which of two images of a prompt people prefer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.models.clip import preprocessing_of
from metrics.models.suite_models import suite_clip
from metrics.suites import Role, Suite, find_suite
from metrics.views import Views


@metrics.register("hps")
class Hps:
    """Cosine of image and text features of HPSv2.1's CLIP ViT-H/14.

    Source: Wu et al., arXiv 2306.09341, and the package hpsv2.
    """

    columns: tuple[Column, ...] = (Column(name="hps", title="HPSv2.1", unit="100·cos", scale=100),)
    role: Role | None = "hps"

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self._clip = suite_clip(suite, "hps", device)
        model = suite.models["hps"]
        card = MetricCard(
            columns=self.columns,
            name="hps",
            title="HPSv2.1",
            checkpoint=suite.checkpoint("hps"),
            weights_sha256=self._clip.weights_sha256,
            preprocessing=preprocessing_of(self._clip.image_size, model.preprocessing),
            description="Cosine of the features of image and prompt in fp32, by a CLIP that was fine-tuned on which of "
            "two images people prefer. Version 2.0 is another checkpoint with other numbers. The package hpsv2 "
            "resizes in the same way since torchvision 0.17; an older one does not smooth before it resizes, and the "
            "package computes in fp16 on a GPU, which both give other numbers.",
        )
        self.card = card.as_stand_in() if model.stand_in else card

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that the model does not read; 0 if the text fits."""
        return self._clip.tokens_cut(text)

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)`` in [−1, 1]."""
        cosines = self._clip.image_features(views.rgb) @ self._clip.text_features([prompt])[0]
        return {"hps": cosines.double().numpy()}

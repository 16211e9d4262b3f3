"""LAION's aesthetic score: a linear head on CLIP's image features, trained on people's ratings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.models.clip import preprocessing_of
from metrics.models.suite_models import suite_aesthetic
from metrics.suites import Role, Suite, find_suite
from metrics.views import Views


@metrics.register("aesthetic")
class Aesthetic:
    """The head's output for the unit features of an image, on the raters' scale of 1 to 10.

    Source: Schuhmann, github.com/christophschuhmann/improved-aesthetic-predictor.
    """

    columns: tuple[Column, ...] = (Column(name="aesthetic", title="Aesthetic"),)
    role: Role | None = "aesthetic"

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self._clip, self._head = suite_aesthetic(suite, device)
        model, clip = suite.models["aesthetic"], suite.models["aesthetic_clip"]
        card = MetricCard(
            columns=self.columns,
            name="aesthetic",
            title="LAION aesthetic score",
            checkpoint=f"{suite.checkpoint('aesthetic')} on {clip.title or suite.folder('aesthetic_clip').name}, "
            f"SHA-256 {self._clip.weights_sha256}",
            weights_sha256=self._head.weights_sha256,
            preprocessing=preprocessing_of(self._clip.image_size, clip.preprocessing),
            description="Linear layers "
            f"{' – '.join(map(str, self._head.widths))} without a function between them, on CLIP's image features of "
            "length 1; people rated from 1 to 10. It judges images alone, not whether they fit the prompt.",
        )
        self.card = card.as_stand_in() if model.stand_in else card

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)``; the prompt is not used."""
        return {"aesthetic": self._head.apply(self._clip.image_features(views.rgb))}

"""R-precision: whether CLIP finds a view's own prompt among all prompts of the prompt set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.models.clip import preprocessing_of
from metrics.models.suite_models import suite_clip
from metrics.suites import Role, Suite, find_suite
from metrics.views import Views


@metrics.register("r_precision")
class RPrecision:
    """1 where the own prompt has the highest cosine of all candidates, else 0.

    Source: DreamFields (arXiv 2112.01455), section 5; the number depends on how many candidates there are and
    how alike they are, so it compares within one prompt set only.
    """

    columns: tuple[Column, ...] = (Column(name="clip_top1", title="R-precision", unit="%", decimals=1, scale=100),)
    role: Role | None = "clip"

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self._clip = suite_clip(suite, "clip", device)
        self.card = MetricCard(
            columns=self.columns,
            name="r_precision",
            uses_candidates=True,
            title="CLIP R-precision",
            checkpoint=suite.checkpoint("clip"),
            weights_sha256=self._clip.weights_sha256,
            preprocessing=preprocessing_of(self._clip.image_size, suite.models["clip"].preprocessing),
            description="Share of views whose own prompt has the highest CLIP cosine among all different prompts of "
            "the study's prompt set, chosen for the study or not; chance is one in their number. A tie counts for the "
            "earlier prompt.",
        )

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that the model does not read; 0 if the text fits."""
        return self._clip.tokens_cut(text)

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)`` of 0 and 1.

        Raises:
            ValueError: If ``prompt`` is not among ``candidates``.
        """
        different = list(dict.fromkeys(candidates))
        if prompt not in different:
            raise ValueError(f"candidates: {prompt!r} must be one of them, but is not among the {len(different)} given")
        cosines = self._clip.image_features(views.rgb) @ self._clip.text_features(different).T
        own = cosines.argmax(dim=1) == different.index(prompt)
        return {"clip_top1": own.double().numpy()}

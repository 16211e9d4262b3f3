"""CLIP-IQA: the one of two opposite descriptions that CLIP finds closer to a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.models.clip import preprocessing_of
from metrics.models.suite_models import suite_clip
from metrics.suites import Role, Suite, find_suite
from metrics.views import Views


class PromptPair(NamedTuple):
    """Two opposite descriptions."""

    column: str
    positive: str
    negative: str


#: The pairs of the SDI paper (arXiv 2405.15891, section 6.1).  "Real" is against "Abstract", not "Synthetic".
PROMPT_PAIRS = (
    PromptPair("quality", "Good photo.", "Bad photo."),
    PromptPair("sharpness", "Sharp photo.", "Blurry photo."),
    PromptPair("real", "Real photo.", "Abstract photo."),
)


@metrics.register("clip_iqa")
class ClipIqa:
    """Softmax over the logits of a pair, first entry, in percent; and the pair's margin, which does not saturate.

    Source: Wang et al., arXiv 2207.12396.
    """

    columns: tuple[Column, ...] = (
        *(Column(name=pair.column, title=pair.column.capitalize(), unit="%", decimals=1) for pair in PROMPT_PAIRS),
        *(
            Column(
                name=f"{pair.column}_margin", title=f"{pair.column.capitalize()} margin", unit="100·cos", headline=False
            )
            for pair in PROMPT_PAIRS
        ),
    )
    role: Role | None = "iqa"

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self._clip = suite_clip(suite, "iqa", device)
        preprocessing = suite.models["iqa"].preprocessing
        pairs = "; ".join(f"{pair.column}: {pair.positive!r} against {pair.negative!r}" for pair in PROMPT_PAIRS)
        self.card = MetricCard(
            columns=self.columns,
            name="clip_iqa",
            title="CLIP-IQA",
            checkpoint=suite.checkpoint("iqa"),
            weights_sha256=self._clip.weights_sha256,
            preprocessing=preprocessing_of(self._clip.image_size, preprocessing)
            + "; position embedding kept" * (preprocessing != "native"),
            description=f"{pairs}. Softmax over the pair's logits at the model's logit scale "
            f"({self._clip.logit_scale:.1f}), first entry, in %; margins are 100 · (cos₊ − cos₋).",
        )

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)`` per column; the prompt is not used."""
        texts = [text for pair in PROMPT_PAIRS for text in (pair.positive, pair.negative)]
        cosines = self._clip.image_features(views.rgb) @ self._clip.text_features(texts).T
        positive, negative = cosines.double().numpy().reshape(len(views), len(PROMPT_PAIRS), 2).transpose(2, 1, 0)
        margin = positive - negative
        share = 100 / (1 + np.exp(-self._clip.logit_scale * margin))
        return dict(zip(self.card.column_names, [*share, *(100 * margin)], strict=True))

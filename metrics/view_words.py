"""Views of the back that CLIP takes for views of the front, for priors whose truth is not known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.facing import FACING_DEG, front_and_extra
from metrics.models.clip import preprocessing_of
from metrics.models.suite_models import suite_clip
from metrics.models.text_limits import shorten
from metrics.suites import Role, Suite, find_suite
from metrics.views import Views

#: The words behind the prompt; the first is the front.
WORDS = ("front view", "side view", "back view")


@metrics.register("view_words")
class ViewWords:
    """The choice of CLIP for a view among the prompt with ``front view``, ``side view`` and ``back view``.

    Source: the idea of MV-SDI (github.com/marianlupascu/MV-SDI), with CLIP's choice of words instead of a cosine.
    """

    columns: tuple[Column, ...] = (
        Column(name="clip_front", title="CLIP front", unit="%", decimals=1, scale=100, headline=False),
        Column(
            name="clip_extra",
            title="CLIP extra fronts",
            unit="%",
            direction="lower",
            decimals=1,
            scale=100,
            headline=False,
        ),
    )
    role: Role | None = "clip"

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self._clip = suite_clip(suite, "clip", device)
        self.card = MetricCard(
            columns=self.columns,
            name="view_words",
            version=2,  # 1 cut the view words of long prompts
            title="View words",
            checkpoint=suite.checkpoint("clip"),
            weights_sha256=self._clip.weights_sha256,
            preprocessing=preprocessing_of(self._clip.image_size, suite.models["clip"].preprocessing),
            description="CLIP reads a view as a front if its highest cosine among the prompt with 'front view', 'side "
            "view' and 'back view' behind it is the first; the front is the camera around which most views are read "
            f"so. CLIP front: share of the views within {FACING_DEG:g}° of it; CLIP extra fronts: share of those "
            f"within {FACING_DEG:g}° of its opposite; no value where less than half of the front is read as one. "
            "A prompt that is too long for CLIP with these words behind it loses words at its own end, not these. "
            "Weaker than a search for the face: it measures what CLIP takes for a front, light included. Measured with "
            "the toybox's CLIP on renders of the truth (12 kinds × 2 paints): the right object has 2 % extra fronts, "
            "but 53 % without shading; one whose views of the back are those of the front has 79 %, but 11 % if its "
            "back is as dark as a back is; 6 of 24 right objects have no value. Compare methods that light scenes "
            "alike, and look at the images.",
        )

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that do not fit before the view words; 0 if the text fits."""
        return max(map(self._clip.tokens_cut, self._texts(text)))

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)`` of 0, 1 and NaN per column."""
        texts = self._texts(shorten(prompt, self.tokens_cut))
        cosines = self._clip.image_features(views.rgb) @ self._clip.text_features(texts).T
        is_front = (cosines.argmax(dim=1) == 0).double().numpy()
        front, extra = front_and_extra(is_front, views.azimuth_deg)
        return {"clip_front": front, "clip_extra": extra}

    @staticmethod
    def _texts(prompt: str) -> list[str]:
        return [f"{prompt}, {words}" for words in WORDS]

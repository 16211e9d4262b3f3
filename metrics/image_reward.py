"""ImageReward: a model of how much people like an image of a prompt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.models.clip import preprocessing_of
from metrics.models.suite_models import suite_reward
from metrics.suites import Role, Suite, find_suite
from metrics.views import Views


@metrics.register("image_reward")
class ImageReward:
    """The reward, normalised by the mean and standard deviation that the model was published with.

    Source: Xu et al., arXiv 2304.05977.
    """

    columns: tuple[Column, ...] = (Column(name="image_reward", title="ImageReward"),)
    role: Role | None = "reward"

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self._model = suite_reward(suite, device)
        config = self._model.config
        self.card = MetricCard(
            columns=self.columns,
            name="image_reward",
            title="ImageReward",
            checkpoint=suite.checkpoint("reward"),
            weights_sha256=self._model.weights_sha256,
            preprocessing=f"{preprocessing_of(config.image_size)}; text cut at {config.max_length} tokens",
            description=f"(reward − {config.mean:.5g}) / {config.std:.5g}; negative values are normal. The prompt is "
            "given without view words, so side and back views can score lower by design.",
        )

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that the model does not read; 0 if the text fits."""
        return self._model.tokens_cut(text)

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)``."""
        return {"image_reward": self._model.rewards(views.rgb, prompt)}

"""VQAScore: how sure a model that answers questions is that a view shows the prompt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.models.text_limits import shorten
from metrics.models.visual_question import MAX_TOKENS, find_folder, load_question_model
from metrics.suites import Role, Suite
from metrics.views import Views

#: Source: t2v_metrics (github.com/linzhiqiu/t2v_metrics), ``instructblip_model.py``.
_QUESTION, _ANSWER = 'Question: Does this figure show "{}"? Please answer yes or no.', "yes"


@metrics.register("vqa_score")
class VqaScore:
    """P("yes" | view, 'Does this figure show "PROMPT"?') of an InstructBLIP in the folder that SDIBENCH_VQA names.

    Source: Lin et al., arXiv 2404.01291, and its package t2v_metrics 3.0.
    """

    columns: tuple[Column, ...] = (Column(name="vqa_score", title="VQAScore", unit="%", scale=100, decimals=1),)
    role: Role | None = None

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        folder = find_folder()
        self._model = load_question_model(folder, device)
        size = self._model.image_size
        self.card = MetricCard(
            columns=self.columns,
            name="vqa_score",
            title="VQAScore",
            checkpoint=f"{folder.name} (an InstructBLIP with a T5, the same for every suite)",
            weights_sha256=self._model.weights_sha256,
            preprocessing=f"uint8 RGB over the evaluation background, shorter side to {size} pixels (bicubic, "
            "antialiased), centre crop, CLIP's mean and standard deviation, fp32",
            description=f"The geometric mean of the probabilities of the tokens of {_ANSWER!r} and of the end, asked "
            f"{_QUESTION.format('PROMPT')} as t2v_metrics asks InstructBLIP, which computes in bfloat16. A prompt with "
            f"which the question has more than {MAX_TOKENS} tokens loses words at its end, the question does not. The "
            "numbers depend on the model: those of CLIP-FlanT5, the paper's, are others. It hardly sees geometry: a "
            "view with the right parts in a wrong place is answered with yes.",
        )

    @staticmethod
    def check() -> None:
        """Check that there is a model.

        Raises:
            WeightsMissingError: If there is none; the message says what to do.
        """
        find_folder()

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that do not fit into the question; 0 if the text fits."""
        return self._model.tokens_cut(_QUESTION.format(text))

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)`` in [0, 1]."""
        question = _QUESTION.format(shorten(prompt, self.tokens_cut))
        return {"vqa_score": self._model.probabilities(views.rgb, question, _ANSWER)}

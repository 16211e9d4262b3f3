"""A prior that waits until its networks are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from methods.contracts import Prior
from methods.priors.pipeline.card import PriorCard


class UnloadedPrior:
    """Answers with its card, and loads itself when anything else is asked of it; then it is a ``Prior`` like others.

    A method of another package may calibrate itself on more than guidance scale and negative prompt.

    Args:
        card: What is known without loading.
        load: Loads the prior; called as often as something is asked, so it should remember.
    """

    def __init__(self, card: PriorCard, load: Callable[[], Prior]) -> None:
        self.weights_sha256 = card.weights_sha256
        self.guidance_scale = card.guidance_scale
        self.negative_prompt = card.negative_prompt
        self._load = load

    def __getattr__(self, name: str) -> Any:
        return getattr(self._load(), name)

"""A prior whose networks are loaded on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from methods.contracts import Prior
from methods.priors.pipeline.card import PriorCard


class UnloadedPrior:
    """A prior that answers from its card, and is loaded as soon as anything else is requested.

    A method of another package may calibrate itself on more than guidance scale and negative prompt.

    Args:
        card: The fields that are known without loading.
        load: Loads the prior; it is called for every request, so it should cache the prior.
    """

    def __init__(self, card: PriorCard, load: Callable[[], Prior]) -> None:
        self.weights_sha256 = card.weights_sha256
        self.guidance_scale = card.guidance_scale
        self.negative_prompt = card.negative_prompt
        self._load = load

    def __getattr__(self, name: str) -> Any:
        return getattr(self._load(), name)

"""The part of a study that is not in its file, as a run folder keeps it."""

from __future__ import annotations

from pydantic import JsonValue

from bench.study.settings import Section


class PinnedPrior(Section):
    """Everything that the cells take from the prior."""

    weights_sha256: str
    """SHA-256 of the weights."""
    guidance_scale: int | float
    """Guidance scale of the prior's card."""
    negative_prompt: str
    """Negative prompt of the prior's card."""


class Pinned(Section):
    """The prompts and the prior of a run when it was started: the run needs neither the list nor the weights again."""

    prompt_set: dict[str, JsonValue]
    """The whole prompt set (``prompts.PromptSet``) with its texts; R-precision looks for a prompt among all of them."""
    prior: PinnedPrior
    """The prior."""

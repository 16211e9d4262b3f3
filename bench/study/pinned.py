"""The part of a study that is not in its file, as a run folder keeps it."""

from __future__ import annotations

from typing import Any

from pydantic import Field, JsonValue, SerializerFunctionWrapHandler, model_serializer

from bench.study.section import Section, Slug


class PinnedPrior(Section):
    """Everything that the cells take from the prior."""

    weights_sha256: str
    """SHA-256 of the weights."""
    guidance_scale: int | float
    """Guidance scale of the prior's card."""
    negative_prompt: str
    """Negative prompt of the prior's card."""


class PinnedRenders(Section):
    """Renders of one prompt that were made elsewhere."""

    prompt_id: Slug
    """Short name of the prompt."""
    seed: int
    """The seed of the study that stands for them in tables."""
    sha256: str
    """SHA-256 of the files."""
    has_evaluation_cameras: bool
    """Whether the images are from the study's evaluation cameras."""
    known: dict[str, JsonValue] = Field(default_factory=dict)
    """Facts that their folder states."""


class Pinned(Section):
    """The prompts and the prior of a run when it was started: the run needs neither the list nor the weights again."""

    prompt_set: dict[str, JsonValue]
    """The whole prompt set (``prompts.PromptSet``) with its texts; R-precision looks for a prompt among all of them."""
    prior: PinnedPrior
    """The prior."""
    arm_priors: dict[Slug, PinnedPrior] = Field(default_factory=dict)
    """The prior of each arm that has its own, by label."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each file and record that a scene starts from, by cell and setting."""

    imports: dict[Slug, tuple[PinnedRenders, ...]] = Field(default_factory=dict)
    """The renders of each imported arm by its label."""

    @model_serializer(mode="wrap")
    def _without_empty(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what came later if there is none of it, so that earlier versions read the run folder."""
        fields: dict[str, Any] = dump(self)
        empty = {name for name in ("arm_priors", "inputs", "imports") if not getattr(self, name)}
        return {name: value for name, value in fields.items() if name not in empty}

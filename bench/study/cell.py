"""A cell: one optimisation, with everything that decides its numbers."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property

from pydantic import JsonValue

from bench.study.settings import (
    CameraSettings,
    DivergenceSettings,
    EvaluationSettings,
    OptimiserSettings,
    Penalties,
    RenderSettings,
    Section,
    Slug,
    ViewPrompts,
)

#: Raised by hand whenever a change of the code changes a cell's numbers.
CODE_VERSION = 3


class Cell(Section):
    """Method × prompt × seed × settings: the unit of work, of identity and of failure."""

    label: Slug
    """Label of the method in tables; the key of its table in the study."""
    method: str
    """Registered name of the method."""
    hyper_parameters: dict[str, JsonValue]
    """All of the method's hyper-parameters, defaults and calibrated guidance included."""
    prompt_id: Slug
    """Short name of the prompt."""
    prompt: str
    """The prompt, without view words."""
    seed: int
    """What all of the cell's random streams are derived from, together with the prompt's id."""
    scene: str
    """Registered name of the scene."""
    scene_settings: dict[str, JsonValue]
    """All arguments of the scene's constructor, defaults included."""
    prior: str
    """Name or folder of the diffusion prior."""
    prior_sha256: str
    """SHA-256 of the prior's weights."""
    steps: int
    """Optimisation steps."""
    views_per_step: int
    """Cameras rendered in one step."""
    penalties: Penalties
    """What the weights of the scene's penalties are relative to."""
    view_prompts: ViewPrompts
    """How the prompt tells the side that a camera sees."""
    cameras: CameraSettings
    """Random cameras of the optimisation."""
    render: RenderSettings
    """Renders that the method sees."""
    evaluation: EvaluationSettings
    """Ring of views that is scored."""
    optimiser: OptimiserSettings
    """Adam's constants."""
    divergence: DivergenceSettings
    """When the cell counts as diverged."""
    code_version: int = CODE_VERSION
    """Version of the code that computes the numbers."""

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the cell's canonical JSON: sorted keys, no spaces, no NaN."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def folder_name(self) -> str:
        """Name of the cell's record folder."""
        return f"{self.label}--{self.prompt_id}--s{self.seed}--{self.identity[:12]}"

"""A cell: one optimisation, with everything that decides its numbers."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from functools import cached_property

from pydantic import JsonValue

from bench.study.section import Section, Slug
from bench.study.settings import CellSettings, EvaluationSettings
from methods.inputs import PLACES

#: Raised by hand if a change of the code changes the numbers of a cell or the form of its settings.
CODE_VERSION = 6

#: File of the optimised scene in the folder of a cell's record.
SCENE_FILE = "scene.safetensors"

#: Settings of a scene and its parts that decide speed and memory alone, and so are no part of a cell's identity.
_NO_NUMBERS = frozenset({"backend", "samples_at_once"})


class BaseCell(Section, ABC):
    """The place of a cell in its study, by which records, scores and reports know it."""

    label: Slug
    """Label of the arm in tables; the key of its table in the study."""
    method: str
    """Registered name of the method."""
    prompt_id: Slug
    """Short name of the prompt."""
    prompt: str
    """Text of the prompt, without view words."""
    seed: int
    """Seed from which, with the prompt's id, all of the cell's random streams are derived."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """Ring of views that is scored."""
    code_version: int = CODE_VERSION
    """Version of the code that computes the numbers."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """SHA-256 of all that decides the cell's images."""

    @property
    def title(self) -> str:
        """Label of the arm in tables and figures."""
        return self.label

    @property
    def folder_name(self) -> str:
        """Name of the cell's record folder."""
        return f"{self.label}--{self.prompt_id}--s{self.seed}--{self.identity[:12]}"


class Cell(BaseCell, CellSettings):
    """Method × prompt × seed × settings: the unit of work, of identity and of failure."""

    hyper_parameters: dict[str, JsonValue]
    """All hyper-parameters of the method, defaults and calibrated guidance included."""
    scene: dict[str, JsonValue]
    """Registered name of the scene and all of its settings, defaults included."""
    prior_sha256: str
    """SHA-256 of the prior's weights."""

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the cell's canonical JSON: sorted keys, no spaces, no NaN.

        The prior's name is left out: its weights have a hash, and a folder can be spelled in many ways.  So is where a
        part of the scene with a hash was found, and are the settings that decide speed and memory alone.
        """
        fields = self.model_dump(mode="json", exclude={"prior": {"name"}})
        fields["scene"] = _deciding(fields["scene"])
        return canonical_sha256(fields)


def canonical_sha256(fields: JsonValue) -> str:
    """SHA-256 of canonical JSON: sorted keys, no spaces, no NaN."""
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _deciding(settings: JsonValue) -> JsonValue:
    """Settings without those that decide no number, at any depth."""
    if not isinstance(settings, dict):
        return settings
    left_out = _NO_NUMBERS | (PLACES if "sha256" in settings else frozenset())
    return {name: _deciding(value) for name, value in settings.items() if name not in left_out}

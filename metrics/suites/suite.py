"""A suite of scorers: the model for each role, where its files are, and what is known about it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from methods.weights import CARD, WeightsMissingError, weights_home

#: Uses of a model of a suite; ``bert`` is a vocabulary that ``reward`` is converted with.
Role = Literal["clip", "iqa", "bert", "reward", "hps", "pick", "aesthetic", "aesthetic_clip"]

#: The way from a view to a CLIP's input, see :class:`metrics.models.clip.ClipModel`.
Preprocessing = Literal["image", "tensor", "native"]

#: Published formats that ``sdibench fetch`` reads.
PublishedFormat = Literal["open_clip", "transformers", "hps", "image_reward", "linear_head", "vocabulary"]

#: Formats that the models of the roles are published in; of others, ``open_clip``.
_FORMATS: dict[str, PublishedFormat] = {
    "bert": "vocabulary",
    "reward": "image_reward",
    "hps": "hps",
    "pick": "transformers",
    "aesthetic": "linear_head",
}

#: Models that a role needs in addition to its own.
_FURTHER: dict[str, tuple[Role, ...]] = {"aesthetic": ("aesthetic_clip",)}

_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*(@[\w.-]+)?")


class ScorerModel(BaseModel):
    """One model of a suite: a table of its file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    folder: Annotated[Path | None, Field(strict=False)] = Field(
        default=None, description="folder with the model in the format that is loaded; relative to the suite's file"
    )
    repository: str = Field(
        default="", description="repository of the hub that sdibench fetch takes it from: owner/name, or with @revision"
    )
    format: PublishedFormat | None = Field(default=None, description="format of the repository; by default the role's")
    title: str = Field(default="", description="name of the checkpoint on cards; by default the folder's")
    optional: bool = Field(default=False, description="fetched only if it is named: sdibench fetch SUITE --only ROLE")
    quick_gelu: bool | None = Field(
        default=None, description="whether the network has QuickGELU, which a wrong configuration would hide"
    )
    vision: Literal["transformer", "resnet"] | None = Field(default=None, description="kind of the image encoder")
    preprocessing: Preprocessing = Field(
        default="image", description="resize the image, the tensor, or nothing and drop the position embedding"
    )
    stand_in: bool = Field(
        default=False, description="takes the place of a model that people's preferences trained, and is not trained"
    )
    expected: tuple[float, float, float] | None = Field(
        default=None, strict=False, description="scores of the three known images, see metrics.models.known_images"
    )
    tolerance: float | None = Field(default=None, gt=0, description="largest right difference from the expected scores")

    @field_validator("repository")
    @classmethod
    def _is_a_repository(cls, value: str) -> str:
        if value and not _REPOSITORY.fullmatch(value):
            raise ValueError("must be owner/name or owner/name@revision")
        return value

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.folder is None) == (not self.repository):
            raise ValueError("must have either folder or repository")
        if (self.expected is None) != (self.tolerance is None):
            raise ValueError("expected and tolerance belong together")
        return self


class Suite(BaseModel):
    """The models that score together."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_-]+$", description="name on cards, and of the folder of fetched weights")
    note: str = Field(min_length=1, description="printed with every score of the suite")
    resolution: int = Field(
        default=512, gt=0, description="side of the images of the prior that the suite belongs to, pixels"
    )
    uses_gpu: bool = Field(default=True, description="whether it computes on a GPU by default")
    models: dict[Role, ScorerModel] = Field(description="the model for each role")
    fetched_as: str = Field(default="", description="the argument of sdibench fetch; by default the name")

    @property
    def summary(self) -> str:
        """One line for a list of suites."""
        titles = [model.title or self._place(role).name for role, model in self.models.items()]
        return f"{', '.join(titles)}: {self.note}"

    def folder(self, role: Role) -> Path:
        """Return the folder of the model for ``role``.

        Raises:
            WeightsMissingError: If it is missing, or a further model that the role needs; the message says what to do.
        """
        for needed in (*_FURTHER.get(role, ()), role):
            folder = self._existing(needed)
        return folder

    def checkpoint(self, role: Role) -> str:
        """Name the model for ``role`` for metric cards."""
        model = self.models[role]
        return f"{self.name}: {model.title or self._place(role).name} ({self.note})"

    def format(self, role: Role) -> PublishedFormat:
        """The format that the model for ``role`` is published in."""
        return self.models[role].format or _FORMATS.get(role, "open_clip")

    def _place(self, role: Role) -> Path:
        return self.models[role].folder or weights_home() / self.name / role

    def _existing(self, role: Role) -> Path:
        model = self.models.get(role)
        if model is None:
            raise WeightsMissingError(
                f"the suite {self.name} has no model for {role!r}, only for {', '.join(self.models)}; take another "
                f"suite or other metrics, or add a table [{role}] to a suite's file"
            )
        folder = self._place(role)
        if not (folder / CARD).is_file() and (model.repository or not folder.is_dir()):
            only = f" --only {role}" * model.optional
            remedy = (
                f"run `sdibench fetch {self.fetched_as or self.name}{only}`, or set SDIBENCH_WEIGHTS to the folder "
                f"that has {self.name}/ in it"
                if model.repository
                else "there is no such folder"
            )
            raise WeightsMissingError(f"{folder}: the suite {self.name}'s weights for {role!r} are missing; {remedy}")
        return folder

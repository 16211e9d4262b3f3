"""Suites of scorer models: which folder holds the model for each role.

A further suite is a further entry; nothing else in this package knows the name of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from methods.registry import Registry
from methods.weights import CARD, WeightsMissingError, weights_home

#: Folder of the weights that come with the package.
WEIGHTS = Path(__file__).parent / "weights"

#: Uses of a model of a suite.
Role = Literal["clip", "iqa", "reward"]


@dataclass(frozen=True)
class Suite:
    """The models that score together, each a local folder with a ``card.json``."""

    name: str
    clip: Path  # CLIP Score and R-precision, see metrics.models.clip
    iqa: Path  # CLIP-IQA, see metrics.models.clip
    reward: Path  # ImageReward's architecture, see metrics.models.reward
    note: str  # printed with every score of the suite
    clip_model: str = ""  # name of the checkpoint, if it differs from the folder's
    iqa_model: str = ""
    reward_model: str = ""
    resolution: int = 512  # side of the images of the prior that the suite belongs to, pixels
    iqa_native: bool = False  # CLIP-IQA as published: a ResNet at the images' own size, no position embedding
    remedy: str = "restore it from the repository"  # instruction for the user if a folder is missing
    uses_gpu: bool = True  # whether it computes on a GPU by default

    @property
    def is_packaged(self) -> bool:
        """Whether the weights come with the package; those of other suites are fetched."""
        return self.clip.is_relative_to(WEIGHTS)

    def folder(self, role: Role) -> Path:
        """Return the folder of the model for ``role``.

        Raises:
            WeightsMissingError: If there is none; the message says what to run.
        """
        folder: Path = getattr(self, role)
        if not (folder / CARD).is_file():
            raise WeightsMissingError(
                f"{folder}: the suite {self.name}'s weights for {role!r} are missing; {self.remedy}"
            )
        return folder

    def checkpoint(self, role: Role) -> str:
        """Name the model for ``role`` for metric cards."""
        folder: Path = getattr(self, role)
        return f"{self.name}: {getattr(self, f'{role}_model') or folder.name} ({self.note})"


#: Every suite by name.
suites: Registry[Suite] = Registry("suite of models")


def sd21_suite(home: Path) -> Suite:
    """Return the published scorers that belong to Stable Diffusion 2.1, in ``home/sd21/<role>``."""
    folder = home / "sd21"
    return Suite(
        name="sd21",
        clip=folder / "clip",
        iqa=folder / "iqa",
        reward=folder / "reward",
        note="the published checkpoint",
        clip_model="OpenAI CLIP ViT-B/32",
        iqa_model="OpenAI CLIP RN50",
        reward_model="ImageReward-v1.0",
        iqa_native=True,
        remedy="run `sdibench fetch sd21`, or set SDIBENCH_WEIGHTS to the folder that has sd21/ in it",
    )


suites.register("toybox")(
    Suite(
        name="toybox",
        clip=WEIGHTS / "toybox_clip",
        iqa=WEIGHTS / "toybox_clip",
        reward=WEIGHTS / "toybox_reward",
        note="small models trained on the toybox; their scores cannot be compared with published ones",
        resolution=64,
        uses_gpu=False,
    )
)
suites.register("sd21")(sd21_suite(weights_home()))


def find_suite(models: str | Suite) -> Suite:
    """Look a suite up.

    Raises:
        UnknownNameError: If there is none; the message has the nearest names.
    """
    return models if isinstance(models, Suite) else suites[models]

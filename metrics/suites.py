"""Suites of scorer models: which folder holds the model for each role.

A further suite is a further entry; nothing else in this package knows the name of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from methods.registry import Registry

#: Where the weights that come with the package are.
WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Suite:
    """The models that score together, each a local folder with a ``card.json``."""

    name: str
    clip: Path  # CLIP Score and R-precision, open_clip's folder format
    iqa: Path  # CLIP-IQA, open_clip's folder format
    reward: Path  # ImageReward's architecture, see metrics.models.reward
    note: str  # printed with every score of the suite


#: Every suite by name.
suites: Registry[Suite] = Registry("suite of models")

suites.register("toybox")(
    Suite(
        name="toybox",
        clip=WEIGHTS / "toybox_clip",
        iqa=WEIGHTS / "toybox_clip",
        reward=WEIGHTS / "toybox_reward",
        note="small models trained on the toybox; their scores cannot be compared with published ones",
    )
)


def find_suite(models: str | Suite) -> Suite:
    """The suite of that name.

    Raises:
        UnknownNameError: If there is none; the message has the nearest right names.
    """
    return models if isinstance(models, Suite) else suites[models]

"""Control rows: images that no method made, scored like a method's, so that a table shows the range of its numbers.

A metric that puts noise or the render of another prompt close to a method does not measure what it claims to.  A
control is a frozen dataclass, one per file, registered by name; an installed package adds one through the entry-point
group ``sdibench.control``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
from pydantic import JsonValue

from methods.registry import Registry
from methods.settings import require
from metrics.views import Views


class StoredViews(Protocol):
    """Views of one render that are on disk."""

    @property
    def identity(self) -> JsonValue:
        """Everything that the images depend on."""

    def read(self) -> Views:
        """Read the images."""


class Sampler(Protocol):
    """The prior as a sampler of single images."""

    @property
    def identity(self) -> JsonValue:
        """Everything that the samples depend on, apart from the prompt, the seed and their number."""

    def __call__(self, prompt: str, count: int) -> np.ndarray:
        """Sample ``count`` images of the prompt, uint8 ``(count, h, w, 3)``."""


@dataclass(frozen=True)
class ControlSources:
    """Everything that the controls of one prompt can be made of.

    Raises:
        ValueError: If the background is outside [0, 1].
    """

    azimuth_deg: np.ndarray
    """Azimuths of the evaluation ring, ``(n,)``, degrees; a control that is made has one view per camera."""
    resolution: int
    """Side of the evaluation renders, pixels."""
    background: float = 1.0
    """Grey level behind the scene, 0 black to 1 white."""
    seed: int = 0
    """First seed of the study."""
    renders: Mapping[str, StoredViews] = field(default_factory=dict)
    """Renders of the study's baseline by the text of the prompt; their order counts."""
    sample: Sampler | None = None
    """Sampler of the study's prior."""
    truth: StoredViews | None = None
    """Images of the first object that fits the prompt, from the cameras of the ring; None where none is known."""

    def __post_init__(self) -> None:
        require(0 <= self.background <= 1, "background", self.background, "from 0 to 1")


@dataclass(frozen=True)
class Control(ABC):
    """Views that are scored in place of a method's."""

    title: ClassVar[str]
    """Label of the row in tables and figures."""
    has_cameras: ClassVar[bool] = True
    """Whether images that are made belong to the cameras of the ring and can be compared with the truth."""
    needs: ClassVar[str] = ""
    """Description of what ``available`` asks for."""

    def available(self, prompt: str, sources: ControlSources) -> bool:
        """Say whether the control can be made for a prompt."""
        return True

    def identity(self, sources: ControlSources) -> list[JsonValue]:
        """List what images that are made depend on, apart from prompt, seed, number of views, size and background."""
        return []

    @abstractmethod
    def views(self, prompt: str, sources: ControlSources) -> Views | StoredViews:
        """Make the views, one per camera of ``sources``, or return a render of ``sources`` that is shown as it is."""


#: Every control by name.
controls: Registry[type[Control]] = Registry("control", "metrics.controls", base=Control)


def opaque_views(rgb: np.ndarray, sources: ControlSources) -> Views:
    """Views of uint8 images ``(n, h, w, 3)`` without a transparent pixel."""
    return Views(rgb, np.full(rgb.shape[:3], 255, dtype=np.uint8), sources.azimuth_deg)

"""One object's renders, on disk and in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import JsonValue


@dataclass(frozen=True)
class Asset:
    """One object's renders of one prompt, on disk."""

    place: Path
    """Folder or file of the object, for messages."""
    names: tuple[str, ...]
    """Texts that may name its prompt, the surest first: the prompt itself, a folder's name."""
    files: tuple[Path, ...]
    """Every file whose bytes decide the images, in order."""
    seed: int | None = None
    """The seed that the folder states; None if it states none."""
    known: Mapping[str, JsonValue] = field(default_factory=dict)
    """Facts that the folder states of its making (steps, guidance scale, prior, system), never guessed."""


@dataclass(frozen=True)
class AssetImages:
    """One object's renders in memory, in the order of the views."""

    rgb: np.ndarray
    """Colours, uint8 ``(n h w 3)``."""
    opacity: np.ndarray | None
    """Opacity, uint8 ``(n h w)``; None if it is not known."""
    normals: np.ndarray | None
    """Normals as colours, uint8 ``(n h w 3)``, in the writer's own frame; None if there are none."""
    azimuth_deg: tuple[float, ...]
    """Azimuth of each camera, degrees in (−180, 180]: 0 looks at the front, and it grows counter-clockwise seen from
    above, as in ``methods.cameras``."""

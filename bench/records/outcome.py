"""The outcome of a cell in memory: its record, and the data that goes into the record's files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from bench.records.record import Record
from bench.watch.telemetry import Event


@dataclass(frozen=True)
class Images:
    """Renders of some evaluation cameras, as they are written."""

    azimuth_deg: list[float]
    rgb: np.ndarray  # uint8 (n h w 3)
    opacity: np.ndarray | None  # uint8 (n h w); None for imported renders without
    normals: np.ndarray | None = None  # uint8 (n h w 3), (n + 1) / 2 over the background; None for a scene without
    is_finite: bool = True  # whether every colour and opacity was; a cell does not go on after others, nor complete

    def state_dict(self) -> dict[str, Any]:
        """The images as a checkpoint keeps them: arrays as tensors."""
        arrays = {"rgb": self.rgb, "opacity": self.opacity, "normals": self.normals}
        tensors = {name: None if array is None else torch.from_numpy(array) for name, array in arrays.items()}
        return {"azimuth_deg": self.azimuth_deg, **tensors}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> Self:
        """The images of a :meth:`state_dict`."""
        arrays: dict[str, Any] = {
            name: None if state[name] is None else state[name].numpy() for name in ("rgb", "opacity", "normals")
        }
        return cls(azimuth_deg=state["azimuth_deg"], **arrays)


@dataclass(frozen=True)
class SnapshotImages:
    """The images of a :class:`Snapshot`, before they are files."""

    step: int
    seconds: float
    images: Images

    def state_dict(self) -> dict[str, Any]:
        """The snapshot as a checkpoint keeps it."""
        return {"step": self.step, "seconds": self.seconds, "images": self.images.state_dict()}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> Self:
        """The snapshot of a :meth:`state_dict`."""
        return cls(state["step"], state["seconds"], Images.from_state_dict(state["images"]))


@dataclass(frozen=True)
class Outcome:
    """A record and the data that goes into its files."""

    record: Record
    events: list[Event]
    images: Images  # of no cameras if nothing could be rendered
    scene: dict[str, Tensor]  # parameters and buffers by name
    snapshots: tuple[SnapshotImages, ...] = ()  # in order of steps

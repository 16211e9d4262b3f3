"""The events of an unfinished cell as its checkpoint keeps them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bench.watch.telemetry import Event


class EventLines:
    """One line of JSON for each event, in a tensor of bytes; an event is encoded once, however often it is saved."""

    def __init__(self) -> None:
        self._lines = bytearray()
        self._count = 0

    def encode(self, events: Sequence[Event]) -> Tensor:
        """The lines of all events, uint8; those of the last time are its first."""
        for event in events[self._count :]:
            self._lines += event.model_dump_json().encode() + b"\n"
        self._count = len(events)
        return torch.from_numpy(np.frombuffer(self._lines, np.uint8).copy())  # the lines will grow, the tensor not

    def decode(self, kept: Tensor) -> list[Event]:
        """The events of what :meth:`encode` returned, which go on from there.

        Raises:
            ValueError: If it is not the lines of events.
        """
        self._lines = bytearray(kept.numpy().tobytes())
        events = [Event.model_validate(json.loads(line)) for line in self._lines.splitlines()]
        self._count = len(events)
        return events

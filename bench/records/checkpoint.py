"""The state of an unfinished cell on disk: plain values and tensors in one safetensors file, and no pickle."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from bench.records.atomic import new_file

#: Raised when what a cell goes on from is another; a file of another format is left, and its cell begins anew.
_FORMAT = "2"


class Checkpoint:
    """The one file that a cell's optimisation goes on from.

    Args:
        path: Where it is kept.
        identity: Of the cell; a file of another cell is no checkpoint of this one.
        every_seconds: Time after which it is to be saved again.
        every_steps: Steps after which it is to be saved again, if that is sooner; None for by time alone.
    """

    def __init__(self, path: Path, identity: str, every_seconds: float, every_steps: int | None = None) -> None:
        self.path = path
        self.identity = identity
        self._every_seconds = every_seconds
        self._every_steps = every_steps
        self._saved_at = time.monotonic()

    def is_due(self, steps: int) -> bool:
        """Whether to save, now that so many steps of the cell are done."""
        is_late = time.monotonic() - self._saved_at >= self._every_seconds
        return is_late or (self._every_steps is not None and steps % self._every_steps == 0)

    def save(self, state: Mapping[str, Any]) -> None:
        """Write ``state``, so that a reader sees the last one or this one: dicts, lists, plain values and tensors.

        Raises:
            StorageError: If the disk is full, or the folder cannot be written in.
        """
        tensors: dict[str, Tensor] = {}
        words = json.dumps(_pack(dict(state), tensors))
        about = {"format": _FORMAT, "identity": self.identity, "state": words, "sha256": _digest(words, tensors)}
        with new_file(self.path) as partial:
            # not by save_file, whose own temporary file would outlive a kill
            partial.write_bytes(save(tensors, metadata=about))
        self._saved_at = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The state last saved; None where there is none, or only one that is broken or another cell's."""
        try:
            with safe_open(self.path, framework="pt") as file:
                about = file.metadata() or {}
                if about.get("format") != _FORMAT or about.get("identity") != self.identity:
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no dict
            if about["sha256"] != _digest(about["state"], tensors):
                return None
            state: dict[str, Any] = _unpack(json.loads(about["state"]), tensors)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return state

    def saved_ns(self) -> int:
        """When it was saved last, in ns; 0 where there is none."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0

    def drop(self) -> None:
        """Delete it: the record says all that is left to say."""
        self.path.unlink(missing_ok=True)


def _pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """``value`` as JSON has it, its tensors put aside.  Dicts become lists of pairs, for their keys may be numbers."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"dict": [[key, _pack(entry, tensors)] for key, entry in value.items()]}
    if isinstance(value, (list, tuple)):
        return [_pack(entry, tensors) for entry in value]
    return value


def _unpack(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(entry, tensors) for entry in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensors[value["tensor"]]
    return {key: _unpack(entry, tensors) for key, entry in value["dict"]}


def _digest(words: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all that is saved: a cell must not go on from a number that the disk changed."""
    digest = hashlib.sha256(words.encode())
    for name in sorted(tensors):
        digest.update(tensors[name].contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def generator_states(streams: Mapping[str, torch.Generator]) -> dict[str, Tensor]:
    """Where each stream stands."""
    return {name: stream.get_state() for name, stream in streams.items()}

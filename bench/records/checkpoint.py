"""The state of an unfinished cell on disk: plain values and tensors in one safetensors file, and no pickle.

The tensors of the state are the tensors of the file; everything else is JSON in one more tensor of bytes, in which
``{"tensor": name}`` stands for a tensor and ``{"dict": [[key, value], …]}`` for a dictionary.  The file's metadata,
which safetensors limits to 100 MB, has the format, the cell's identity and a SHA-256 of all.  The state itself has two
parts: ``loop``, the state of
:class:`bench.cells.optimisation.Optimisation`, and ``run``, the events, snapshots and meters of its steps.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from bench.errors import VersionError
from bench.records.atomic import new_file
from bench.records.reading import require_readable

#: Raised when the state has another form; a file of an earlier format is ignored, and its cell starts again.
_FORMAT = 4

#: Name of the tensor of the JSON; those of the state have numbers.
_JSON = "json"


class Checkpoint:
    """The one file that a cell's optimisation resumes from.

    Args:
        path: The file.
        identity: The cell's identity; a file of another cell is ignored.
        every_seconds: Time after which to save again.
        every_steps: Steps after which to save again, if that is sooner; None for time alone.
    """

    def __init__(self, path: Path, identity: str, every_seconds: float, every_steps: int | None = None) -> None:
        self.path = path
        self.identity = identity
        self._every_seconds = every_seconds
        self._every_steps = every_steps
        self._saved_at = time.monotonic()

    def is_due(self, steps: int) -> bool:
        """Whether to save after ``steps`` steps of the cell."""
        is_late = time.monotonic() - self._saved_at >= self._every_seconds
        return is_late or (self._every_steps is not None and steps % self._every_steps == 0)

    def save(self, state: Mapping[str, Any]) -> None:
        """Write ``state`` (dictionaries, lists, plain values and tensors) in place of the last one.

        Raises:
            StorageError: If the disk is full, or the folder cannot be written in.
        """
        tensors: dict[str, Tensor] = {}
        text = json.dumps(_pack(dict(state), tensors)).encode()
        tensors[_JSON] = torch.from_numpy(np.frombuffer(text, np.uint8).copy())
        about = {"format": str(_FORMAT), "identity": self.identity, "sha256": _digest(tensors)}
        with new_file(self.path) as partial:
            # not by save_file, whose own temporary file would outlive a kill
            partial.write_bytes(save(tensors, metadata=about))
        self._saved_at = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The state last saved; None without a file, or if it is broken, of an earlier format or another cell's.

        Raises:
            StorageError: If the user has no right to read the file, or the disk fails: the work in it is not lost.
            VersionError: If it is of a later version of the suite.
        """
        try:
            require_readable(self.path)
            with safe_open(self.path, framework="pt") as file:
                about = file.metadata() or {}
                if int(about.get("format", 0)) > _FORMAT:
                    raise VersionError.later(self.path, "format", about["format"], _FORMAT)
                if about.get("format") != str(_FORMAT) or about.get("identity") != self.identity:
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, no dict
            if about["sha256"] != _digest(tensors):
                return None
            state: dict[str, Any] = _unpack(json.loads(tensors[_JSON].numpy().tobytes()), tensors)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return state

    def saved_ns(self) -> int:
        """Time of the last save, ns; 0 for none."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0

    def drop(self) -> None:
        """Delete the file, when there is a record."""
        self.path.unlink(missing_ok=True)


def _pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """``value`` as JSON, its tensors moved to ``tensors``; a dictionary becomes pairs, for its keys may be numbers."""
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


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all that is saved: a cell must not resume from a number that the disk changed."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(tensors[name].contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

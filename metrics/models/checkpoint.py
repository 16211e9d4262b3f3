"""Read a published checkpoint, which is a pickle, without running what it may hold."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from methods.weights import WeightsError


def read_checkpoint(path: Path, within: str = "") -> Mapping[str, Tensor]:
    """Read the tensors of a checkpoint by name, on the CPU.

    Args:
        path: The file.
        within: The key of the tensors' dictionary, where the file holds more than that.

    Raises:
        WeightsError: If the file is not whole, holds anything but weights, or has no such dictionary.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise WeightsError(f"{path}: is not a file of weights only, or not whole ({why})") from error
    if within:
        found = found.get(within) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsError(f"{path}: has no dictionary of weights{f' at {within!r}' * bool(within)}")
    return {str(name): value for name, value in found.items()}

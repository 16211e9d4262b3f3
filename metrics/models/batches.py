"""Pictures on their way through a network: so many in one pass as memory allows, and each of them once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

import numpy as np
import torch

V = TypeVar("V")

#: What a pass takes at most beside the weights, in bytes for each pixel of its pictures.  Measured in float32: 100 in
#: ViT-B/32 at 224 pixels a side, 240 in CLIP's ResNet-50 at 512, 510 in BLIP-L at 224; a GPU's kernels take workspace.
_BYTES_PER_PIXEL = 1024

#: Larger batches are no quicker on a CPU, and hardly so on a GPU.
_CPU_PIXELS, _GPU_PIXELS = 64 * 224**2, 256 * 224**2


def pictures_at_once(device: torch.device, height: int, width: int) -> int:
    """How many pictures of that size, at least 1: as many as pay, and on a GPU as fit into half of what is free."""
    pixels = _CPU_PIXELS
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        pixels = min(_GPU_PIXELS, (free + unused) // 2 // _BYTES_PER_PIXEL)
    return max(1, pixels // (height * width))


def picture_key(picture: np.ndarray) -> bytes:
    """A hash of the picture, equal for equal ones only."""
    return hashlib.sha256(f"{picture.shape}".encode() + picture.tobytes()).digest()


class Kept(Generic[V]):
    """What a network said of pictures, kept for the next metric that asks; of the last ``count``."""

    def __init__(self, count: int = 1024) -> None:
        self._count = count
        self._values: dict[Hashable, V] = {}

    def get(self, keys: Sequence[Hashable], compute: Callable[[list[int]], Iterable[V]], at_once: int) -> list[V]:
        """The value of each key.

        Args:
            keys: One for each picture.
            compute: From the places of some pictures to their values; called with new ones only.
            at_once: With how many at most.
        """
        found = {key: self._values[key] for key in keys if key in self._values}
        new = {key: place for place, key in enumerate(keys) if key not in found}
        names = list(new)
        for start in range(0, len(names), at_once):
            some = names[start : start + at_once]
            found |= dict(zip(some, compute([new[key] for key in some]), strict=True))
        self._values |= found
        while len(self._values) > self._count:
            self._values.pop(next(iter(self._values)))
        return [found[key] for key in keys]

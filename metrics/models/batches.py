"""Pictures on their way through a network: so many in one pass as memory allows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

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


def in_passes(
    compute: Callable[[np.ndarray], Tensor], rgb: np.ndarray, device: torch.device, height: int, width: int
) -> Tensor:
    """What ``compute`` says of pictures ``(n h w 3)`` that the network sees at ``height`` × ``width``, in passes.

    Which pictures share a pass follows from ``rgb`` alone, never from what was asked before: a network rounds
    otherwise in a batch of another size, and a run that was cut short must end in the scores of one that was not.
    """
    at_once = pictures_at_once(device, height, width)
    return torch.cat([compute(rgb[start : start + at_once]) for start in range(0, len(rgb), at_once)])

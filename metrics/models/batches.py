"""Run images through a network, as many in one pass as memory allows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

#: Upper bound of a pass's memory without the weights, bytes per pixel of its images.  Measured in float32: 100 in
#: ViT-B/32 at 224 pixels a side, 240 in CLIP's ResNet-50 at 512, 510 in BLIP-L at 224; a GPU's kernels take workspace.
_BYTES_PER_PIXEL = 1024

#: Larger batches are no quicker on a CPU, and hardly so on a GPU.
_CPU_PIXELS, _GPU_PIXELS = 64 * 224**2, 256 * 224**2


def images_at_once(device: torch.device, height: int, width: int) -> int:
    """Return how many images of a size share a pass; on a GPU they take at most half of the free memory."""
    pixels = _CPU_PIXELS
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        pixels = min(_GPU_PIXELS, (free + unused) // 2 // _BYTES_PER_PIXEL)
    return max(1, pixels // (height * width))


def compute_in_passes(
    compute: Callable[[np.ndarray], Tensor], rgb: np.ndarray, device: torch.device, height: int, width: int
) -> Tensor:
    """Apply ``compute`` to images ``(n h w 3)`` that the network sees at ``height`` × ``width``, in passes.

    The passes depend on ``rgb`` alone, not on earlier calls: a network rounds differently in a batch of another size,
    and an interrupted run must end with the scores of an uninterrupted one.  On a GPU with little free memory they
    depend on that too, and scores may differ by rounding.
    """
    at_once = images_at_once(device, height, width)
    return torch.cat([compute(rgb[start : start + at_once]) for start in range(0, len(rgb), at_once)])

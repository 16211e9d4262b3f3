"""Whether a device can still compute in this process: some errors of CUDA end its context, and all calls then fail."""

from __future__ import annotations

import torch


def lost_device(device: torch.device) -> str | None:
    """Say why nothing more can be computed on ``device`` in this process; None if it can.

    An illegal memory access or a failed assertion in a kernel stays with the process: a synchronisation raises it
    again, while after an error of one call alone it passes.  A CPU is never lost.
    """
    if device.type != "cuda":
        return None
    try:
        torch.cuda.synchronize(device)
    except RuntimeError as error:  # AcceleratorError among them
        first = next(iter(str(error).splitlines()), type(error).__name__)  # the others say how to find the kernel
        return f"{device}: {first}: this process can compute nothing more there"
    return None

"""How values made on the host come to the device that computes with them."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(values: Tensor, to: Tensor | torch.device) -> Tensor:
    """``values`` on a device, and in a tensor's precision where ``to`` is one; the host does not wait for the copy.

    Streams draw on the host, so that a seed means the same on every machine.  What is there already stays as it is.
    """
    device, dtype = (to.device, to.dtype) if isinstance(to, Tensor) else (to, values.dtype)
    if device.type == "cuda" and values.device.type == "cpu":
        values = values.contiguous().pin_memory()  # a copy from other memory waits for all work before it
    # towards the host a copy must be waited for: the values are read at once
    return values.to(device, dtype, non_blocking=device.type != "cpu")

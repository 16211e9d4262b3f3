"""Transfer of values from the host to the device that computes with them."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(values: Tensor, to: Tensor | torch.device) -> Tensor:
    """Copy ``values`` to a device, in a tensor's precision if ``to`` is one; the host does not wait for the copy.

    Streams draw on the host, so that a seed means the same on every machine.  Values that are on the device already are
    returned unchanged.
    """
    device, dtype = (to.device, to.dtype) if isinstance(to, Tensor) else (to, values.dtype)
    if device.type == "cuda" and values.device.type == "cpu":
        values = values.contiguous().pin_memory()  # a copy from other memory waits for all work before it
    # a copy to the host must finish first: its values are read immediately
    return values.to(device, dtype, non_blocking=device.type != "cpu")

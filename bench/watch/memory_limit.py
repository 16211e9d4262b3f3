"""A limit to the memory of a cell, so that one that needs too much ends as ``oom`` and not with its worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch


@contextmanager
def memory_limit(gigabytes: float | None, device: torch.device) -> Iterator[None]:
    """Let allocations fail above ``gigabytes`` (10⁹ bytes) that the process has at once; None for no limit.

    On a GPU the limit is of torch's allocator there; on a CPU of all data of the process, libraries and prior
    included (``RLIMIT_DATA``, which Linux enforces and other systems do not).

    Raises:
        MemoryError: If the process holds more than that as it is.
    """
    if gigabytes is None:
        yield
        return
    limit = int(gigabytes * 1e9)
    if device.type == "cuda":
        # torch takes no device without an index here, as a prior's is ("cuda")
        index = torch.cuda.current_device() if device.index is None else device.index
        whole = torch.cuda.get_device_properties(index).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, limit / whole), index)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, index)
        return
    import resource  # of POSIX alone

    held = getattr(psutil.Process().memory_info(), "data", 0)
    if held > limit:
        raise MemoryError(f"memory_limit_gb = {gigabytes:g}: the process holds {held / 1e9:.2f} GB before it begins")
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))

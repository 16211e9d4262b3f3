"""The room that this machine has."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def core_count() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_disk_bytes(folder: Path) -> int:
    """Free bytes on the disk of ``folder``, which need not exist."""
    whole = folder.absolute()
    there = next(path for path in (whole, *whole.parents) if path.exists())
    return shutil.disk_usage(there).free

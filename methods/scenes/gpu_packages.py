"""Whether an optional package with kernels for a GPU works on this machine."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import torch


def find_problem(package: str, use: Callable[[Any], None]) -> str | None:
    """Why a package's kernels cannot be used on this machine, as a clause after its name; None if they can.

    Only a kernel that has run shows that a package was built for this device and this torch.

    Args:
        package: Name of the module.
        use: Runs a kernel of the imported module on the CUDA device, and raises if anything is wrong.
    """
    if importlib.util.find_spec(package) is None:
        return "is not installed"
    if not torch.cuda.is_available():
        return "has no CUDA device here"
    try:
        use(importlib.import_module(package))
    except Exception as error:  # noqa: BLE001, extensions fail in ways of their own
        return f"does not work here ({type(error).__name__}: {' '.join(str(error).split()):.200})"
    return None

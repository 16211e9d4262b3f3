"""Whether an optional package with kernels for a GPU works on this machine."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch

from methods.out_of_memory import is_out_of_memory
from methods.priors.pipeline.settings import choose_device
from methods.scenes.kernel_build import building_alone
from methods.settings import MissingPackageError, UnusablePackageError


def find_problem(package: str, use: Callable[[Any], None], build: str | None = None) -> str | None:
    """Why a package's kernels cannot be used on this machine, as a clause after its name; None if they can.

    Only a kernel that has run shows that a package was built for this device and this torch.

    Args:
        package: Name of the module.
        use: Runs a kernel of the imported module on the current CUDA device, and raises if anything is wrong.
        build: Name of the extension of torch that the package compiles when it is first used; None if it has none.

    Raises:
        RuntimeError, MemoryError: If memory runs out, which says nothing of the package: the answer of a moment would
            be kept for the life of the process, and its cells would be computed otherwise than those of the others.
        WeightsError: If SDIBENCH_DEVICE does not name a device of this machine.
    """
    if importlib.util.find_spec(package) is None:
        return "is not installed"
    if not torch.cuda.is_available():
        return "has no CUDA device here"
    choose_device(uses_gpu=True)  # and not GPU 0, which may be full
    try:
        with warnings.catch_warnings(), building_alone(build) if build else nullcontext():
            warnings.simplefilter("ignore")  # where warnings are errors, one would keep a package from working
            use(importlib.import_module(package))
    except Exception as error:
        if is_out_of_memory(error):
            raise
        return f"does not work here ({type(error).__name__}: {' '.join(str(error).split()):.200})"
    return None


def require_package(setting: str, package: str, problem: str | None, source: str = "") -> None:
    """Raise an error about a setting that asks for a package with a ``problem``, if it has one.

    Args:
        setting: Name of the setting, as the user wrote it; its value is the package's name.
        package: Name of the package.
        problem: The answer of :func:`find_problem`.
        source: How it is installed, in parentheses after its name.

    Raises:
        MissingPackageError: If the package is not installed.
        UnusablePackageError: If it is, and does not work on this machine.
    """
    if problem is not None:
        kind = MissingPackageError if problem == "is not installed" else UnusablePackageError
        raise kind(
            f"{setting}: {package!r} needs the package {package}{f' ({source})' if source else ''} and a CUDA device, "
            f"and {package} {problem}; 'torch' works without them"
        )

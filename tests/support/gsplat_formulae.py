"""gsplat's formulae in plain torch, from its file: the package itself compiles kernels when it is imported."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


def gsplat_formulae() -> ModuleType:
    """The module ``gsplat/cuda/_torch_impl.py``; skips the test where gsplat is not installed."""
    found = importlib.util.find_spec("gsplat")
    if found is None:
        pytest.skip("gsplat is not installed")
    path = Path(found.origin).parent / "cuda" / "_torch_impl.py"
    spec = importlib.util.spec_from_file_location("_gsplat_formulae", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

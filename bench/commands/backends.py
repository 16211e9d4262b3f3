"""The optional packages: which are there, which work on this machine, and how the others are installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch


def _scan_on_gpu(nerfacc: Any) -> None:
    ray = torch.zeros(4, dtype=torch.int64, device="cuda")
    nerfacc.exclusive_sum(torch.ones(4, device="cuda"), nerfacc.pack_info(ray, 1))


def _read_on_gpu(tinycudann: Any) -> None:
    grid = tinycudann.Encoding(3, {"otype": "Grid", "type": "Hash", "n_levels": 2}, dtype=torch.float32)
    grid(torch.zeros(128, 3, device="cuda"))


def _begin(pynvml: Any) -> None:
    pynvml.nvmlInit()
    pynvml.nvmlSystemGetDriverVersion()


@dataclass(frozen=True)
class Backend:
    """An optional package."""

    name: str
    """Common name."""
    module: str
    """Module that is imported."""
    package: str
    """Distribution that has its version."""
    install: str
    """Command that installs it."""
    without: str
    """Consequence if it is missing."""
    needs_gpu: bool = False
    """Whether it is of use with a CUDA device only."""
    check: Callable[[Any], None] | None = None
    """Uses the imported module, and raises where it does not work; None to look only whether it is installed."""

    def state(self) -> str:
        """Describe the version and whether it works, or what is wrong and the remedy, in one line."""
        if importlib.util.find_spec(self.module) is None:
            return f"missing: {self.install}; without it, {self.without}"
        found = f"there, {_version(self.package)}"
        if self.needs_gpu and not torch.cuda.is_available():
            return f"{found}, but there is no CUDA device: {self.without}"
        if self.check is None:
            return found
        try:
            self.check(importlib.import_module(self.module))
        except Exception as error:  # noqa: BLE001, extensions fail in ways of their own
            return f"{found}, but does not work here ({type(error).__name__}: {' '.join(str(error).split())})"
        return f"{found}, works here"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "version not known"


#: In the order of ``sdibench doctor``.
BACKENDS = (
    Backend(
        "nerfacc", "nerfacc", "nerfacc", "pip install nerfacc", "marching makes the same samples in plain torch",
        needs_gpu=True, check=_scan_on_gpu,
    ),
    Backend(
        "tiny-cuda-nn", "tinycudann", "tinycudann",
        "pip install git+https://github.com/NVlabs/tiny-cuda-nn#subdirectory=bindings/torch",
        'encoding = "hash_grid" with layout = "tiny_cuda_nn" has the same parameters in plain torch',
        needs_gpu=True, check=_read_on_gpu,
    ),
    Backend(
        "NVML", "pynvml", "nvidia-ml-py", "pip install nvidia-ml-py", "a GPU's energy is not recorded", check=_begin
    ),
    Backend("ray", "ray", "ray", "pip install ray", "the engine ray is unavailable"),
    Backend("submitit", "submitit", "submitit", "pip install submitit", "the engine slurm is unavailable"),
    Backend("pyiqa", "pyiqa", "pyiqa", "pip install pyiqa", "there are no metrics pyiqa:*"),
)  # fmt: skip

"""The optional packages: which are there, which work on this machine, and how the others are installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from methods.out_of_memory import is_out_of_memory
from methods.scenes.gaussians.rasterisers import gsplat
from methods.scenes.nerf.encodings import hash_grid_tinycudann, hash_grid_triton
from methods.scenes.nerf.encodings.hash_grid import INSTALL
from methods.scenes.nerf.marching import nerfacc


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
    """Consequence if it is missing or does not work."""
    problem: Callable[[], str | None] | None = None
    """Tries the package: the reason why it cannot be used, as a clause after its name, or None if it can; None to look
    only whether it is installed."""
    remedy: str | None = None
    """Remedy if it is installed and does not work on a GPU."""
    chosen_for: str | None = None
    """Part of a scene that ``backend = "auto"`` takes it for where it works; elsewhere it takes torch."""

    def state(self) -> str:
        """Describe the version and whether it works, or what is wrong and the remedy, in one line."""
        if importlib.util.find_spec(self.module) is None:
            return f"missing: {self.install}; without it, {self.without}"
        found = f"there, {_version(self.package)}"
        if self.problem is None:
            return found
        problem = self._problem()
        if problem is None:
            return f"{found}, works here"
        remedy = self._remedy_for(problem)
        return f"{found}, but {problem}: {self.without}{f'; {remedy}' if remedy else ''}"

    def choice(self) -> str:
        """Describe what ``backend = "auto"`` takes on this machine, and why not this package, in one line."""
        problem = self._problem()
        if problem is None:
            return f"auto takes {self.module} here"
        remedy = self.install if problem == "is not installed" else self._remedy_for(problem)
        line = f"auto takes torch here; {self.module} is better, but {problem}"
        return f"{line}: {remedy}" if remedy else line

    def _remedy_for(self, problem: str) -> str | None:
        return self.remedy if problem.startswith("does not work") else None

    def _problem(self) -> str | None:
        try:
            return self.problem() if self.problem else None
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return "was not tried: the GPU has no memory left; free it, or take another one (SDIBENCH_DEVICE)"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "version not known"


def _nvml_problem() -> str | None:
    """The error of NVML's first call, as a clause; None if it works."""
    try:
        pynvml = importlib.import_module("pynvml")
        pynvml.nvmlInit()
        pynvml.nvmlSystemGetDriverVersion()
    except Exception as error:  # noqa: BLE001, libraries fail in ways of their own
        return f"does not work here ({type(error).__name__}: {' '.join(str(error).split()):.200})"
    return None


#: In the order of ``sdibench doctor``.
BACKENDS = (
    Backend(
        "Triton", "triton", "triton", f"{INSTALL['triton']} (for Linux; torch for CUDA brings it)",
        "a hash grid is read in plain torch, which keeps 7.9 kB per sample of table 1's field instead of 1.5",
        hash_grid_triton.problem,
        "it compiles on first use: it needs a C compiler, Python's headers and a GPU that its version supports",
        chosen_for="encoding hash_grid",
    ),
    Backend(
        "tiny-cuda-nn", "tinycudann", "tinycudann", INSTALL["tinycudann"],
        "hash_grid with layout = \"tiny_cuda_nn\" has the same parameters in Triton's kernels or plain torch",
        hash_grid_tinycudann.problem,
        f"build it again for this torch and GPU: {INSTALL['tinycudann']} --force-reinstall --no-deps",
    ),
    Backend(
        "nerfacc", "nerfacc", "nerfacc", "pip install nerfacc", "marching makes the same samples in plain torch",
        nerfacc.problem,
        "it compiles on first use, with CUDA 13 and torch 2.13 only as C++17: export NVCC_APPEND_FLAGS=-std=c++17 and "
        "call sdibench doctor again (3 minutes)",
        chosen_for="marching occupancy",
    ),
    Backend(
        "gsplat", "gsplat", "gsplat", "pip install gsplat", "Gaussians have the rasteriser torch alone", gsplat.problem,
        "it compiles on first use, with the CUDA toolkit (nvcc) of torch's version: install that, remove the folder "
        "gsplat_cuda of torch's extensions, and call sdibench doctor again (minutes)",
    ),
    Backend("NVML", "pynvml", "nvidia-ml-py", "pip install nvidia-ml-py", "a GPU's energy is not recorded",
            _nvml_problem),
    Backend("ray", "ray", "ray", "pip install ray", "the engine ray is unavailable"),
    Backend("submitit", "submitit", "submitit", "pip install submitit", "the engine slurm is unavailable"),
    Backend("sentencepiece", "sentencepiece", "sentencepiece", "pip install sentencepiece",
            "a T5 tokenizer without a tokenizer.json (DeepFloyd IF, PixArt) cannot be read"),
    Backend("pyiqa", "pyiqa", "pyiqa", "pip install pyiqa", "there are no metrics pyiqa:*"),
)  # fmt: skip

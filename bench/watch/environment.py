"""The environment of a cell: code, packages, hardware, threads."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Literal

import psutil
import torch

from bench.study.section import Section
from bench.watch.machine import core_count
from bench.watch.nvml import Nvml
from methods.registry import plug_in_groups

_PACKAGES = (
    "sdi-bench", "torch", "diffusers", "transformers", "open_clip_torch", "safetensors", "numpy", "pydantic",
    "triton", "nerfacc", "tinycudann", "gsplat",
)  # fmt: skip


#: To the bit, or but for the order in which a GPU, some of whose kernels have no deterministic form, adds up.
Determinism = Literal["bit-equal", "order of sums"]


class Environment(Section):
    """The circumstances of a cell; no part of its identity."""

    git_commit: str | None
    """Commit of the code, None outside a git checkout."""
    git_dirty: bool | None
    """Whether tracked or untracked files differed from that commit."""
    python: str
    """Version of Python."""
    platform: str
    """Operating system and architecture."""
    packages: dict[str, str]
    """Versions of the packages that touch the numbers, and of those that add anything to the suite."""
    cpu: str
    """Model of the processor."""
    cores: int
    """Cores that the process may use."""
    memory_bytes: int
    """Memory of the machine."""
    gpu: str | None
    """Model of the GPU, None where none is used."""
    cuda: str | None
    """Version of CUDA that torch was built for, None where no GPU is used."""
    driver: str | None = None
    """Version of the GPU's driver (NVML), None where it is not known or no GPU is used."""
    threads: int
    """Torch's threads."""
    deterministic: bool
    """Whether torch was set to use deterministic algorithms."""
    determinism: Determinism | None = None
    """The agreement of two runs of one cell here; None in records without it."""
    device: str
    """Model of the GPU that the cell ran on, else of the processor."""
    backends: dict[str, str] | None = None
    """The code that computed each part of the scene which has a choice of it, such as ``{"encoding": "triton"}``; None
    in records without it."""


def describe_environment(device: torch.device, backends: Mapping[str, str] | None = None) -> Environment:
    """The environment of this process, computing on ``device`` with the scene's ``backends``."""
    commit, dirty = _git_state()
    on_gpu = device.type == "cuda"
    gpu = torch.cuda.get_device_name(device) if on_gpu else None
    nvml = Nvml.find(device)
    deterministic = torch.are_deterministic_algorithms_enabled()
    return Environment(
        git_commit=commit,
        git_dirty=dirty,
        python=platform.python_version(),
        platform=platform.platform(),
        packages=package_versions(),
        cpu=_cpu_model(),
        cores=core_count(),
        memory_bytes=psutil.virtual_memory().total,
        gpu=gpu,
        cuda=torch.version.cuda if on_gpu else None,
        driver=nvml.driver() if nvml else None,
        threads=torch.get_num_threads(),
        deterministic=deterministic,
        determinism="bit-equal" if deterministic and not on_gpu else "order of sums",
        device=device_name(device),
        backends=dict(backends or {}),
    )


def device_name(device: torch.device) -> str:
    """The model of the GPU or of the processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_model()


@lru_cache(maxsize=1)
def package_versions() -> dict[str, str]:
    """Versions of the installed packages that touch the numbers, and of all that have an entry point of the suite's."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    plug_ins = [entry.dist for group in plug_in_groups() for entry in entry_points(group=group) if entry.dist]
    return found | dict(sorted((package.name, package.version) for package in plug_ins))


@lru_cache(maxsize=1)  # once per process: a commit made during a run is not the code that runs
def _git_state() -> tuple[str | None, bool | None]:
    folder = Path(__file__).parents[2]
    try:
        top = _git("rev-parse", "--show-toplevel", folder=folder)
        if Path(top) != folder:  # installed somewhere below another project's checkout
            return None, None
        return _git("rev-parse", "HEAD", folder=folder), bool(_git("status", "--porcelain", folder=folder))
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(*arguments: str, folder: Path) -> str:
    command = ["git", "-C", str(folder), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603, fixed words
    return result.stdout.strip()


@lru_cache(maxsize=1)
def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()

"""Readings of a GPU from NVIDIA's management library (NVML); the package nvidia-ml-py is optional."""

from __future__ import annotations

import importlib
import os
from typing import Any, Self

import torch


class Nvml:
    """The counters of one GPU.  A counter that the GPU or the driver does not have is None.

    Args:
        library: The module ``pynvml``, initialised.
        handle: Its handle of the GPU.
    """

    def __init__(self, library: Any, handle: Any) -> None:
        self._library = library
        self._handle = handle

    @classmethod
    def find(cls, device: torch.device) -> Self | None:
        """The counters of ``device``; None for a CPU, or without the package or the library."""
        if device.type != "cuda":
            return None
        try:
            library = importlib.import_module("pynvml")
        except ImportError:
            return None
        try:
            library.nvmlInit()
            # by its name: NVML does not number GPUs as CUDA_VISIBLE_DEVICES does
            uuid = torch.cuda.get_device_properties(device).uuid
            return cls(library, library.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}"))
        except library.NVMLError:
            return None

    def driver(self) -> str | None:
        """Version of the driver."""
        return self._ask(self._library.nvmlSystemGetDriverVersion)

    def energy_joules(self) -> float | None:
        """Energy that the GPU has drawn since its driver was loaded, whoever used it."""
        millijoules = self._ask(self._library.nvmlDeviceGetTotalEnergyConsumption, self._handle)
        return None if millijoules is None else millijoules / 1000

    def process_bytes(self) -> int | None:
        """Memory of the GPU that this process holds now; None where NVML does not see it (in some containers)."""
        processes = self._ask(self._library.nvmlDeviceGetComputeRunningProcesses, self._handle) or ()
        mine = [process.usedGpuMemory for process in processes if process.pid == os.getpid()]
        return mine[0] if mine else None

    def _ask(self, question: Any, *arguments: Any) -> Any:
        try:
            return question(*arguments)
        except self._library.NVMLError:
            return None

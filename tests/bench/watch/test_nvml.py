from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest
import torch

from bench.watch.environment import describe_environment
from bench.watch.nvml import Nvml

CUDA = torch.device("cuda", 0)


class _NVMLError(Exception):
    pass


class FakePynvml:
    """What of the package ``pynvml`` is used, for one GPU."""

    NVMLError = _NVMLError

    def __init__(self, *missing: str) -> None:
        self.millijoules = 5000
        self.missing = missing
        self.started = False

    def _have(self, name: str) -> None:
        assert self.started
        if name in self.missing:
            raise _NVMLError(name)

    def nvmlInit(self) -> None:  # noqa: N802, the library's names
        if "library" in self.missing:
            raise _NVMLError
        self.started = True

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        self._have("handle")
        assert uuid == "GPU-1234"
        return uuid

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        self._have("driver")
        return "580.1"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:  # noqa: N802
        self._have("energy")
        return self.millijoules

    def nvmlDeviceGetComputeRunningProcesses(self, handle: str) -> list[SimpleNamespace]:  # noqa: N802
        self._have("processes")
        other = SimpleNamespace(pid=-1, usedGpuMemory=7)
        return [other, SimpleNamespace(pid=os.getpid(), usedGpuMemory=123)]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1234"))

    def install(library: FakePynvml) -> FakePynvml:
        monkeypatch.setitem(sys.modules, "pynvml", library)
        return library

    return install


def test_counters_are_read_in_joules_and_bytes_of_this_process(install) -> None:
    install(FakePynvml())
    gpu = Nvml.find(CUDA)
    assert (gpu.driver(), gpu.energy_joules(), gpu.process_bytes()) == ("580.1", 5.0, 123)


@pytest.mark.parametrize("missing", ["driver", "energy", "processes"])
def test_what_a_gpu_does_not_count_is_none(install, missing: str) -> None:
    install(FakePynvml(missing))
    gpu = Nvml.find(CUDA)
    found = {"driver": gpu.driver(), "energy": gpu.energy_joules(), "processes": gpu.process_bytes()}
    assert [name for name, value in found.items() if value is None] == [missing]


@pytest.mark.parametrize("missing", ["library", "handle"])
def test_without_a_library_or_a_gpu_there_is_nothing(install, missing: str) -> None:
    install(FakePynvml(missing))
    assert Nvml.find(CUDA) is None


def test_without_the_package_there_is_nothing(install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert Nvml.find(CUDA) is None


def test_a_cpu_has_none(install) -> None:
    install(FakePynvml())
    assert Nvml.find(torch.device("cpu")) is None


def test_the_environment_names_gpu_and_driver(install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(FakePynvml())
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    found = describe_environment(CUDA)
    assert (found.gpu, found.driver, found.device) == ("a GPU", "580.1", "a GPU")
    assert found.determinism == "order of sums"

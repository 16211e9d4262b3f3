from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest
import torch
from torch.cuda._utils import _get_device_index

from bench.watch.memory_limit import memory_limit

CPU = torch.device("cpu")
HELD = getattr(psutil.Process().memory_info(), "data", 0) / 1e9

enforced = pytest.mark.skipif(not psutil.LINUX, reason="only Linux enforces RLIMIT_DATA")


@enforced
def test_what_is_below_the_limit_is_given_and_what_is_above_is_not() -> None:
    with memory_limit(HELD + 4.0, CPU):
        torch.zeros(int(1e8), dtype=torch.uint8)
        with pytest.raises(RuntimeError, match="can't allocate memory"):
            torch.zeros(int(5e9), dtype=torch.uint8)
        with pytest.raises(MemoryError):
            bytearray(int(5e9))


@enforced
def test_the_limit_ends_with_its_block() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    with memory_limit(HELD + 4.0, CPU):
        assert resource.getrlimit(resource.RLIMIT_DATA)[0] == int((HELD + 4.0) * 1e9)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    with memory_limit(None, CPU):
        assert resource.getrlimit(resource.RLIMIT_DATA) == before


@enforced
def test_a_process_that_holds_more_already_is_told() -> None:
    with (
        pytest.raises(MemoryError, match=r"memory_limit_gb = 0.001: the process holds \d.* GB before it begins"),
        memory_limit(0.001, CPU),
    ):
        pass


@pytest.mark.parametrize(("device", "index"), [("cuda", 2), ("cuda:1", 1)])
def test_on_a_gpu_the_limit_is_of_its_allocator(monkeypatch: pytest.MonkeyPatch, device: str, index: int) -> None:
    """Torch refuses a device without an index there."""
    shares: list[tuple[float, int]] = []

    def limit(share: float, of: torch.device | int) -> None:
        shares.append((share, _get_device_index(of)))

    monkeypatch.setattr(torch.cuda, "current_device", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda of: SimpleNamespace(total_memory=80 * 10**9))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", limit)
    with memory_limit(20.0, torch.device(device)):
        assert shares == [(0.25, index)]
    assert shares == [(0.25, index), (1.0, index)]

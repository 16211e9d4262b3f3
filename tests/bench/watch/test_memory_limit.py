from __future__ import annotations

import psutil
import pytest
import torch

from bench.watch.memory_limit import memory_limit

CPU = torch.device("cpu")
HELD = getattr(psutil.Process().memory_info(), "data", 0) / 1e9

pytestmark = pytest.mark.skipif(not psutil.LINUX, reason="only Linux enforces RLIMIT_DATA")


def test_what_is_below_the_limit_is_given_and_what_is_above_is_not() -> None:
    with memory_limit(HELD + 4.0, CPU):
        torch.zeros(int(1e8), dtype=torch.uint8)
        with pytest.raises(RuntimeError, match="can't allocate memory"):
            torch.zeros(int(5e9), dtype=torch.uint8)
        with pytest.raises(MemoryError):
            bytearray(int(5e9))


def test_the_limit_ends_with_its_block() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    with memory_limit(HELD + 4.0, CPU):
        assert resource.getrlimit(resource.RLIMIT_DATA)[0] == int((HELD + 4.0) * 1e9)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    with memory_limit(None, CPU):
        assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_a_process_that_holds_more_already_is_told() -> None:
    with (
        pytest.raises(MemoryError, match=r"memory_limit_gb = 0.001: the process holds \d.* GB before it begins"),
        memory_limit(0.001, CPU),
    ):
        pass

from __future__ import annotations

import torch

from bench.watch.environment import describe_environment


def test_environment_names_what_touches_the_numbers() -> None:
    found = describe_environment(torch.device("cpu"))
    assert found.packages["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert found.gpu is None
    assert found.device == found.cpu
    assert found.threads == torch.get_num_threads()
    assert found.memory_bytes > 2**28
    assert (found.git_commit is None) == (found.git_dirty is None)

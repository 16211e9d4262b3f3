from __future__ import annotations

from pathlib import Path

import pytest
import torch
from foreign_package import install

from bench.watch.environment import describe_environment, package_versions


def test_environment_names_what_touches_the_numbers() -> None:
    found = describe_environment(torch.device("cpu"))
    assert found.packages["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert found.gpu is None
    assert found.device == found.cpu
    assert found.threads == torch.get_num_threads()
    assert found.memory_bytes > 2**28
    assert (found.git_commit is None) == (found.git_dirty is None)


def test_environment_names_every_package_that_adds_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that cannot be imported: nothing is."""
    install(tmp_path, "foreign-metric", "1 / 0\n", {"sdibench.metric: mine": "Mine", "sdibench.scene: mine": "Scene"})
    install(tmp_path, "foreign-other", "", {"another.group: mine": "Mine"})
    monkeypatch.syspath_prepend(tmp_path)
    package_versions.cache_clear()
    try:
        found = describe_environment(torch.device("cpu")).packages
    finally:
        package_versions.cache_clear()
    assert found["foreign-metric"] == "1.2"
    assert "foreign-other" not in found
    assert "torch" in found

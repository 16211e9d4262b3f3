"""What all tests share: golden files, rewritten on request only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import methods.torchvision_shim  # noqa: F401  (before any test imports diffusers, transformers or open_clip)

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files again instead of comparing")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden(name, text)`` fails unless ``text`` is that of ``tests/golden/<name>``."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        assert path.exists(), f"{path} is missing: run pytest with --update-golden and read the difference"
        assert text == path.read_bytes().decode(), f"differs from {path}"

    return check

"""What all tests share: golden files, rewritten on request only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import methods.torchvision_shim  # noqa: F401  (before any test imports diffusers, transformers or open_clip)
from methods.scenes.mesh import silhouette_level
from reports.figures.drawing import style

GOLDEN = Path(__file__).parent / "golden"

# How long an example takes says nothing on a machine that others use.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files again instead of comparing")


#: Whole but empty files in place of figures.
_BLANK = {"svg": b'<svg xmlns="http://www.w3.org/2000/svg"></svg>\n', "pdf": b"%PDF-1.4\n%%EOF\n"}


def blank_files(draw: object, theme: object, *kinds: str) -> list[bytes]:
    """What ``style._save`` returns for a figure that nobody looks at."""
    return [_BLANK[kind] for kind in kinds]


@pytest.fixture
def blank_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without the seconds of drawing, for tests that do not look at a figure."""
    monkeypatch.setattr(style, "_save", blank_files)


@pytest.fixture(scope="module")
def blank_figures_in_module() -> Iterator[None]:
    """The same for the fixtures of a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "_save", blank_files)
        yield


@pytest.fixture(scope="session")
def coarse_meshes() -> Iterator[None]:
    """Reports with coarse meshes: tests/methods/scenes look at fine ones."""

    def coarse_level(*given: object) -> float | None:
        with pytest.MonkeyPatch.context() as patch:  # for this call only: others look at meshes in this process too
            patch.setattr("methods.scenes.mesh._PIXELS", 32)
            return silhouette_level(*given)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.commands.report.FINE_POINTS", 20)
        patch.setattr("bench.exports.mesh.silhouette_level", coarse_level)
        yield


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

"""The import rule: data flows from bench downwards, and nothing below knows what is above."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bench", "methods", "metrics", "prompts", "reports")

#: What each package may import of the others; bench may import all of them.
ALLOWED = {
    "methods": set(),
    "metrics": {"methods.paths", "methods.registry", "methods.settings", "methods.torchvision_shim", "methods.weights"},
    "prompts": set(),
    "reports": set(),
}


def _imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_no_package_imports_what_is_above_it(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        for name in _imports(path):
            top = name.split(".")[0]
            if top in PACKAGES and top != package:
                allowed = any(name == rule or name.startswith(rule + ".") for rule in ALLOWED[package])
                parent = any(rule.startswith(name + ".") for rule in ALLOWED[package])
                assert allowed or parent, f"{path.relative_to(ROOT)} imports {name}"


#: The packages of bench from the bottom up; those of one row do not import one another.
LAYERS = (
    {"study"},
    {"watch"},
    {"records"},
    {"cells", "imports"},
    {"engines", "exports", "forecast", "scores", "validation"},
    {"commands", "measurements"},
)
LEAVES = {"errors", "formatting", "output", "ranges"}


@pytest.mark.parametrize("package", sorted(set().union(*LAYERS)))
def test_data_flows_one_way_in_bench(package: str) -> None:
    [level] = [index for index, row in enumerate(LAYERS) if package in row]
    below = {package, *LEAVES}.union(*LAYERS[:level])
    for path in sorted((ROOT / "bench" / package).rglob("*.py")):
        for name in _imports(path):
            top, _, rest = name.partition(".")
            if top == "bench" and rest:
                assert rest.split(".")[0] in below, f"{path.relative_to(ROOT)} imports {name}"


def test_every_package_of_bench_has_its_layer() -> None:
    packages = {path.parent.name for path in (ROOT / "bench").glob("*/__init__.py")}
    assert packages == {"training"}.union(*LAYERS)


def test_no_file_is_longer_than_400_lines() -> None:
    long = [
        str(path.relative_to(ROOT))
        for package in (*PACKAGES, "tests")
        for path in (ROOT / package).rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > 400
    ]
    assert long == []


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_are_whole_statements(package: str) -> None:
    fragments = re.compile(r'"""(?:Of|What|Where|Which|Whose|Who|How|Its)\b.*')
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for match in fragments.finditer(path.read_text(encoding="utf-8"))
    ]
    assert not found

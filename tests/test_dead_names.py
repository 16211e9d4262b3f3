"""Every public name of the packages is used by the packages: code that only tests call is deleted."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.test_architecture import PACKAGES, ROOT

#: Decorators that use what they decorate.
_USING = re.compile(r"register|validator|serializer|override")

#: Names that only other programs use.
EXCEPTIONS: set[str] = set()


def dead_names(root: Path) -> set[str]:
    """Public functions, classes, constants, methods and fields of the packages below ``root`` that nothing names."""
    uses: Counter[str] = Counter()
    defined: set[str] = set()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            uses.update(_uses(tree))
            for name, is_counted in _definitions(tree.body):
                defined.add(name)
                uses[name] -= is_counted
    templates = [path for folder in ("templates", "texts") for path in (root / "reports").rglob(f"{folder}/*")]
    other = (*templates, root / "pyproject.toml", root / "noxfile.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in other if path.is_file())
    return {name for name in defined if uses[name] <= 0 and not re.search(rf"\b{name}\b", text)} - EXCEPTIONS


def _uses(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                yield name
            case ast.Constant(value=str(name)):  # columns and fields are also asked for by strings
                yield name


def _definitions(body: list[ast.stmt]) -> Iterator[tuple[str, bool]]:
    """The public names that a body defines, and whether :func:`_uses` counts the definition."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                if not name.startswith("_") and not any(_USING.search(ast.unparse(d)) for d in node.decorator_list):
                    yield name, False
                if isinstance(node, ast.ClassDef):
                    yield from _definitions(node.body)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                if not name.startswith("_"):
                    yield name, True


def test_no_public_name_is_dead() -> None:
    assert dead_names(ROOT) == set()


def test_a_dead_name_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "a.py").write_text(
        "LIMIT = 3\nSPARE = 4\ndef used(): return LIMIT\ndef unused(): return used()\n"
        "class Kept:\n    size: int = 1\n    colour: int = 2\n    def area(self): return self.size\n"
    )
    (folder / "b.py").write_text("from bench.a import Kept, unused\nprint(Kept(), [Kept().area()])\n")
    assert dead_names(tmp_path) == {"SPARE", "unused", "colour"}

"""What others send is data: nothing in the packages reads a file that could run code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bench", "methods", "metrics", "prompts", "reports")

#: Modules that turn bytes into code or objects of any class.
MODULES = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "yaml", "code", "codeop"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
METHODS = {"read_pickle", "to_pickle"}

#: The exception that torch's safe reader raises, and a loader of YAML that makes plain values only.
EXCEPTED = {"metrics/models/checkpoint.py: imports pickle", "bench/imports/parsed_config.py: imports yaml"}


def _dangers(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (f"imports {name}" for name in names if name.split(".")[0] in MODULES)
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            owner = ast.unparse(node.func).removesuffix(f".{called}")
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            is_builtin = isinstance(node.func, ast.Name)  # model.eval() and re.compile() are others
            if called in (BUILTINS if is_builtin else METHODS):
                yield f"calls {called}"
            if (owner, called) == ("torch", "load") and options.get("weights_only") != "True":
                yield "calls torch.load without weights_only=True"
            if options.get("allow_pickle", "False") != "False":
                yield "allows pickles"


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_reads_what_could_run_code(package: str) -> None:
    found = {
        f"{path.relative_to(ROOT).as_posix()}: {danger}"
        for path in (ROOT / package).rglob("*.py")
        for danger in _dangers(path.read_text(encoding="utf-8"))
    }
    assert found <= EXCEPTED


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import torch\ntorch.load('x')",
        "torch.load('x', weights_only=False)",
        "np.load('x', allow_pickle=True)",
        "pd.read_pickle('x')",
        "eval('1')",
        "__import__('os')",
    ],
)
def test_the_search_finds_them(source: str) -> None:
    assert list(_dangers(source))


@pytest.mark.parametrize("source", ["re.compile('x')", "torch.compile(f)", "np.load('x')", "model.eval()"])
def test_the_search_lets_the_others_be(source: str) -> None:
    assert list(_dangers(source)) == []

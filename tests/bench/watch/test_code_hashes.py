from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bench.watch.code_hashes import class_sha256, method_sha256
from methods.distillation import methods
from methods.inversion.ddim import DDIMInversion
from methods.inversion.random import RandomNoise
from methods.weights import file_sha256

METHOD = """
from dataclasses import dataclass
from methods.distillation.sds import SDS

@dataclass(frozen=True)
class Mine(SDS):
    pass
"""


def _module(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_hash_of_a_class_is_that_of_its_file() -> None:
    assert class_sha256(DDIMInversion) == file_sha256(Path(importlib.util.find_spec(DDIMInversion.__module__).origin))
    assert class_sha256(type("FromAPrompt", (), {"__module__": "__none__"})) is None


def test_a_method_is_its_class_its_bases_and_its_parts() -> None:
    sds = methods["sds"]
    plain = method_sha256(sds())
    assert plain == method_sha256(sds(guidance_scale=99.0))
    assert method_sha256(sds(inversion=DDIMInversion())) != plain
    assert method_sha256(sds(inversion=RandomNoise())) == plain  # what it has by default
    assert method_sha256(methods["sdi"]()) != plain


def test_an_edit_of_the_file_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for index, text in enumerate((METHOD, METHOD, METHOD + "# a remark\n")):
        folder = tmp_path / str(index)
        folder.mkdir()
        (folder / "mine.py").write_text(text)
        module = _module(folder / "mine.py", f"mine_{index}")
        monkeypatch.setitem(sys.modules, f"mine_{index}", module)
        found.append(method_sha256(module.Mine()))
    assert found[0] == found[1] != found[2]
    assert None not in found

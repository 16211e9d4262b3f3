"""Why an optional package does not work here, in a clause."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
import torch.utils.cpp_extension  # before importlib is replaced
from filelock import FileLock, Timeout

from methods.scenes.gaussians.rasterisers import gsplat
from methods.scenes.gpu_packages import find_problem, require_package
from methods.scenes.nerf.encodings import hash_grid_tinycudann, hash_grid_triton
from methods.scenes.nerf.marching import nerfacc
from methods.settings import MissingPackageError, UnusablePackageError

MODULES = [nerfacc, hash_grid_triton, hash_grid_tinycudann, gsplat]


@pytest.fixture
def with_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs, as far as anyone asks, and a folder of its own for what torch builds."""
    monkeypatch.delenv("SDIBENCH_DEVICE", raising=False)
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def on_a_gpu(with_gpus: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every package is there, and has nothing in it, and so is a GPU."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(importlib, "import_module", lambda name: SimpleNamespace(name=name))


@pytest.fixture
def forgetful() -> Iterator[None]:
    """Probes that have not answered yet, before and after."""
    for module in MODULES:
        module.problem.cache_clear()
    yield
    for module in MODULES:
        module.problem.cache_clear()


def _fail(package: SimpleNamespace) -> None:
    raise OSError(f"no kernel image\nin {package.name}" + 300 * "!")


@pytest.mark.usefixtures("on_a_gpu")
def test_what_runs_has_no_problem_and_an_error_is_one_line() -> None:
    assert find_problem("it", lambda package: None) is None
    found = find_problem("it", _fail)
    assert found is not None
    assert found.startswith("does not work here (OSError: no kernel image in it!!!")
    assert len(found) < 250


@pytest.mark.usefixtures("with_gpus")
def test_a_warning_of_an_import_is_no_problem_where_warnings_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As nerfacc 0.5.3's, in Python 3.12 and later."""
    (tmp_path / "warns_when_imported.py").write_text('import warnings\nwarnings.warn("old")\n"\\d"\n')
    monkeypatch.syspath_prepend(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_problem("warns_when_imported", lambda package: warnings.warn("older", stacklevel=1)) is None
        with pytest.raises(UserWarning):  # what comes after is as strict as before
            warnings.warn("newer", stacklevel=1)


@pytest.mark.usefixtures("on_a_gpu", "forgetful")
@pytest.mark.parametrize("module", MODULES, ids=lambda it: it.__name__)
def test_a_gpu_that_was_full_for_a_moment_is_tried_again(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def use(package: object) -> None:
        tried.append(package)
        if len(tried) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, "_use", use)
    with pytest.raises(torch.OutOfMemoryError):
        module.problem()
    assert module.problem() is None
    assert module.problem() is None
    assert len(tried) == 2


@pytest.mark.usefixtures("on_a_gpu")
def test_kernels_are_tried_on_the_gpu_that_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    monkeypatch.setenv("SDIBENCH_DEVICE", "cuda:1")
    monkeypatch.setattr(torch.cuda, "set_device", done.append)
    find_problem("it", lambda package: done.append("used"))
    assert done == ["cuda:1", "used"]


@pytest.mark.usefixtures("on_a_gpu", "forgetful")
@pytest.mark.parametrize(
    ("module", "name"), [(nerfacc, "nerfacc_cuda"), (gsplat, "gsplat_cuda")], ids=["nerfacc", "gsplat"]
)
def test_what_compiles_its_kernels_is_first_used_by_one_process_of_a_home(
    module: ModuleType, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = FileLock(tmp_path / f".{name}.sdibench.lock", blocking=False)

    def use(package: object) -> None:
        with pytest.raises(Timeout):
            other.acquire()

    monkeypatch.setattr(module, "_use", use)
    assert module.problem() is None
    other.acquire()
    other.release()


@pytest.mark.parametrize(
    ("problem", "kind"),
    [("is not installed", MissingPackageError), ("has no CUDA device here", UnusablePackageError)],
)
def test_a_setting_that_asks_for_it_is_refused(problem: str, kind: type[Exception]) -> None:
    require_package("marching.backend", "it", None)
    with pytest.raises(MissingPackageError) as caught:
        require_package("marching.backend", "it", problem, "pip install it")
    assert caught.type is kind
    assert str(caught.value) == (
        "marching.backend: 'it' needs the package it (pip install it) and a CUDA device, and it "
        f"{problem}; 'torch' works without them"
    )


@pytest.mark.parametrize("module", MODULES, ids=lambda it: it.__name__)
def test_what_keeps_a_package_from_working_is_named(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    problem = module.problem.__wrapped__
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert problem() == "is not installed"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert problem() == "has no CUDA device here"
    request.getfixturevalue("on_a_gpu")
    if not torch.version.cuda:
        assert problem().startswith("does not work here (")

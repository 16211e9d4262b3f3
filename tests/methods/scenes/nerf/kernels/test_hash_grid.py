"""The compiler's view of the kernels, which the interpreter does not have: no GPU is needed to compile for one."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed"),
    pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="interpreted kernels are not compiled"),
]

CONSTANTS = {"WIDTH": 2, "WIDE": 2, "STAGGERED": True, "BLOCK": 128}
INTEGERS = dict.fromkeys(("steps", "starts", "rows", "spares", "copies"), "*i64") | dict.fromkeys(
    ("count", "levels", "direct"), "i32"
)


@pytest.mark.parametrize("name", ["read", "scatter", "slope", "slope_backward"])
def test_kernels_compile_for_a_gpu(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from methods.scenes.nerf.kernels import hash_grid

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(hash_grid, name)
    signature = {argument: INTEGERS.get(argument, "*fp32") for argument in kernel.arg_names}
    signature |= dict.fromkeys(CONSTANTS, "constexpr")
    source = ASTSource(fn=kernel, signature=signature, constexprs=CONSTANTS)
    made = triton.compile(source, target=GPUTarget("cuda", 80, 32), options={"enable_fp_fusion": False})
    assert f".visible .entry {name}(" in made.asm["ptx"]
    assert "fma.rn.f32" not in made.asm["ptx"]  # the arithmetic of plain torch
    assert made.asm["cubin"]

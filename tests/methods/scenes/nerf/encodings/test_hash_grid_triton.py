"""The hash grid's kernels against plain torch, interpreted on the CPU; tests/gpu compares them on a GPU."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")

LAYOUTS = ("paper", "tiny_cuda_nn")
PROGRAM = Path(__file__).with_name("interpreted_hash_grid.py")
QUANTITIES = {
    "features", "gradient in the table", "gradient in the points", "normals",
    "table from normals", "points from normals", "hidden layer from normals", "last layer from normals",
}  # fmt: skip


def test_interpreted_kernels_are_plain_torch() -> None:
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(PROGRAM.parents[5])}
    done = subprocess.run([sys.executable, PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    differences = json.loads(done.stdout)
    scene = differences.pop("scene")
    assert {"rgb", "normals", "field.encoding.encoding.table"} < scene.keys()
    assert max(scene.values()) <= 1e-5, scene
    assert differences.keys() == {f"{layout}, {points}" for layout in LAYOUTS for points in ("many", "one", "empty")}
    for case, found in differences.items():
        assert found.keys() == QUANTITIES
        assert max(found.values()) <= 1e-5, (case, found)

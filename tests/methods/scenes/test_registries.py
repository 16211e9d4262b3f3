"""Scenes and encodings by name."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys

import pytest

from methods.registry import UnknownNameError
from methods.scenes import scenes
from methods.scenes.nerf.backgrounds import backgrounds
from methods.scenes.nerf.encodings import encodings
from methods.scenes.nerf.marching import marchings
from methods.scenes.nerf.materials import materials


def test_the_names() -> None:
    assert {"dense_grid", "hash_grid", "progressive_bands"} <= set(encodings.names())
    assert {"albedo", "point_light"} <= set(materials.names())
    assert {"environment_map", "given"} <= set(backgrounds.names())
    assert "occupancy" in marchings.names()
    assert {"image", "latent", "nerf"} <= set(scenes.names())


EVERY = {
    f"{registry.kind} {name}": registry[name]
    for registry in (encodings, materials, backgrounds, marchings, scenes)
    for name in registry.names()
}


@pytest.mark.parametrize("part", EVERY.values(), ids=EVERY)
def test_every_part_is_a_frozen_dataclass_whose_fields_are_documented(part: type) -> None:
    assert part.__doc__
    assert part.__dataclass_params__.frozen
    source = inspect.getsource(part)
    for field in dataclasses.fields(part):
        assert field.default is not dataclasses.MISSING
        assert '"""' in source[source.index(f"    {field.name}:") :].split("\n    def ")[0]


def test_a_wrong_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(UnknownNameError, match="unknown encoding 'hashgrid': did you mean hash_grid"):
        encodings["hashgrid"]


def test_no_encoding_needs_an_optional_package_to_be_imported() -> None:
    """Triton does not exist for Windows and macOS."""
    code = (
        "import sys; sys.modules |= dict.fromkeys(('triton', 'tinycudann', 'nerfacc')); "
        "from methods.scenes.nerf.encodings import encodings as e; from methods.scenes.nerf.marching import marchings; "
        "marchings.names(); import torch; grid = e['hash_grid']().build(torch.Generator()); grid(torch.rand(2, 3))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_implementation_can_be_imported_first() -> None:
    command = [sys.executable, "-c", "import methods.scenes.nerf.encodings.dense_grid, methods.contracts"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""Scenes and encodings by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from methods.registry import UnknownNameError
from methods.scenes import scenes
from methods.scenes.nerf.backgrounds import backgrounds
from methods.scenes.nerf.encodings import encodings
from methods.scenes.nerf.materials import materials


def test_the_names() -> None:
    assert encodings.names() == ["dense_grid", "hash_grid", "progressive_bands", "tcnn_hash_grid"]
    assert materials.names() == ["albedo", "point_light"]
    assert backgrounds.names() == ["environment_map", "given"]
    assert scenes.names() == ["image", "latent", "nerf"]


def test_a_wrong_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(UnknownNameError, match="unknown encoding 'hashgrid': did you mean hash_grid"):
        encodings["hashgrid"]


def test_an_implementation_can_be_imported_first() -> None:
    command = [sys.executable, "-c", "import methods.scenes.nerf.encodings.dense_grid, methods.contracts"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

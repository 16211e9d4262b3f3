"""Layout ``ply``: files of Gaussians, of our own export and of the reference code's layout."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.errors import InputError
from bench.exports.gaussian_files import ply
from bench.imports.layouts import layouts
from bench.study.settings import EvaluationSettings
from methods.cameras import evaluation_ring
from methods.pixels import to_bytes
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.gaussians import Gaussians, GaussianScene

RING = EvaluationSettings(views=4, resolution=32)


def build(count: int = 40, degree: int = 0) -> GaussianScene:
    draws = torch.Generator().manual_seed(0)
    scene = Gaussians(count=count, size=0.1).build(GaussianPrior(), draws)
    scene.harmonics = torch.nn.Parameter(torch.randn(count, (degree + 1) ** 2, 3, generator=draws))
    with torch.no_grad():
        scene.log_scales.add_(0.5 * torch.randn(count, 3, generator=draws))
        scene.opacity_logits.copy_(torch.randn(count, generator=draws) + 1)
    return scene


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_an_exported_scene_looks_as_it_did(tmp_path: Path, degree: int) -> None:
    scene = build(degree=degree)
    (tmp_path / "a duck.ply").write_bytes(ply(scene))
    layout = layouts["ply"]()
    assert layout.has_our_cameras
    [asset] = layout.assets(tmp_path)
    assert asset.names == ("a duck", tmp_path.name)
    found = layout.images(asset, RING)
    with torch.no_grad():
        right = scene.render(evaluation_ring(4), resolution=32, background=torch.ones(4, 3), outputs=("normals",))
    assert right.rgb is not None
    assert right.normals is not None
    assert found.opacity is not None
    assert found.normals is not None
    pairs = (
        (found.rgb, right.rgb.permute(0, 2, 3, 1)),
        (found.opacity, right.opacity[:, 0]),
        (found.normals, ((right.normals + right.opacity) / 2 + (1 - right.opacity)).permute(0, 2, 3, 1)),
    )
    for images, values in pairs:
        assert np.abs(images.astype(int) - to_bytes(values)).max() <= 1
    silhouette, theirs = found.opacity > 127, right.opacity[:, 0].numpy() > 0.5
    assert (silhouette & theirs).sum() / (silhouette | theirs).sum() > 0.995
    assert found.azimuth_deg == (0.0, 90.0, 180.0, -90.0)


def test_other_axes_and_the_unit_sphere(tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_bytes(ply(build()))

    def seen(**settings: object) -> np.ndarray:
        layout = layouts["ply"](**settings)
        opacity = layout.images(layout.assets(tmp_path)[0], RING).opacity
        assert opacity is not None
        return opacity.astype(int)

    # the front of the file is at −z: with y up, it is behind and upside down
    flat = EvaluationSettings(views=4, resolution=32, elevation_deg=0.0)
    upright, other = (
        layout.images(layout.assets(tmp_path)[0], flat).opacity for layout in (layouts["ply"](), layouts["ply"](up="y"))
    )
    assert upright is not None
    assert other is not None
    assert np.abs(other[2].astype(int) - upright[0, ::-1, ::-1]).max() <= 1
    assert np.abs(seen(turn_deg=90.0)[1] - seen()[0]).max() <= 1
    assert seen(fit=True).sum() > 1.5 * seen().sum()


def header(count: int, *extra: str, form: str = "binary_little_endian", element: str = "vertex") -> bytes:
    names = ["x", "y", "z", *(f"f_dc_{i}" for i in range(3)), "opacity", *(f"scale_{i}" for i in range(3))]
    names += [f"rot_{index}" for index in range(4)]
    lines = ["ply", f"format {form} 1.0", "comment by hand", f"element {element} {count}"]
    return "\n".join([*lines, *(f"property float {name}" for name in names), *extra, "end_header", ""]).encode()


def rows(count: int, columns: int = 14) -> bytes:
    values = np.zeros((count, columns), "<f4")
    values[:, 10] = 1.0
    values[:, 6] = 3.0
    values[:, 7:10] = -2.0
    return values.tobytes()


def broken(column: int, value: float) -> bytes:
    values = np.frombuffer(rows(2), "<f4").reshape(2, 14).copy()
    values[1, column] = value
    return header(2) + values.tobytes()


def test_further_properties_and_elements_are_left_out(tmp_path: Path) -> None:
    values = np.frombuffer(rows(2), "<f4").reshape(2, 14)
    table = np.concatenate([values, np.full((2, 1), 7, "<f4")], axis=1).astype("<f4")
    content = header(2, "property float32 filter_3D", "element other 1", "property list uchar int rows")
    (tmp_path / "a.ply").write_bytes(content + table.tobytes() + b"\x00")
    layout = layouts["ply"]()
    found = layout.images(layout.assets(tmp_path)[0], RING)
    assert found.rgb[0, 16, 16].tolist() == pytest.approx([128] * 3, abs=4)  # f_dc of 0 is grey


BROKEN = {
    "no header": (b"ply\nformat", "is not a PLY file"),
    "another file": (b"solid cube", "is not a PLY file"),
    "text": (header(2, form="ascii") + rows(2), "format ascii, right is binary_little_endian"),
    "other bytes": (header(2, form="binary_big_endian") + rows(2), "right is binary_little_endian"),
    "cut short": (header(3) + rows(2), "is cut short: 3 Gaussians need 168 bytes, it has 112"),
    "far too many": (header(10**15) + rows(2), "is cut short: 1000000000000000 Gaussians"),
    "none": (header(0), "has no vertices"),
    "faces first": (header(2, element="face") + rows(2), "starts with the element face, right is vertex"),
    "a list": (header(2, "property list uchar int a") + rows(2), "has the property list uchar int a"),
    "another degree": (header(2, "property float f_rest_0") + rows(2, 15), "has 1 properties f_rest_"),
    "twice": (header(2, "property float x") + rows(2, 15), "some of them twice"),
    "NaN": (broken(0, np.nan), "means of 1 of its 2 Gaussians are not finite"),
    "infinite": (broken(8, np.inf), "log_scales of 1 of its 2 Gaussians are not finite"),
    "no rotation": (broken(10, 0.0), "some of its quaternions"),
    "a mesh": (
        b"ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty float x\nend_header\n\0\0\0\0",
        "layout mesh",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_gets_one_line(tmp_path: Path, what: str) -> None:
    content, message = BROKEN[what]
    (tmp_path / "a.ply").write_bytes(content)
    layout = layouts["ply"]()
    with pytest.raises(InputError, match=message) as caught:
        layout.images(layout.assets(tmp_path)[0], RING)
    assert str(tmp_path / "a.ply") in str(caught.value)


def test_transparent_and_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = layouts["ply"]()
    values = np.frombuffer(rows(2), "<f4").reshape(2, 14).copy()
    (tmp_path / "a.ply").write_bytes(header(2) + values.tobytes())
    monkeypatch.setattr(import_module("bench.imports.layouts.ply"), "_MOST_PAIRS", 31)
    with pytest.raises(InputError, match="has 2 Gaussians, more than 1, the most that are drawn at"):
        layout.images(layout.assets(tmp_path)[0], RING)
    values[:, 6] = -50
    (tmp_path / "a.ply").write_bytes(header(2) + values.tobytes())
    with pytest.raises(InputError, match="all of its Gaussians are transparent"):
        layout.images(layout.assets(tmp_path)[0], RING)

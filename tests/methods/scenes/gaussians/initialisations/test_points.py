"""Files of points and of meshes, in the formats that people have, and those that are broken."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from methods.scenes.gaussians.initialisations import initialisations
from methods.scenes.gaussians.initialisations.points import PointFile

#: Front, left, top, and the origin, with a colour each.
CORNERS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], float)
RGB = np.array([[255, 0, 0], [0, 128, 0], [0, 0, 255], [255, 255, 255]], np.uint8)
FACES = [[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def start(path: Path, count: int = 4, **settings: Any) -> Any:
    return PointFile(str(path), **{"radius": "as_is", **settings}).points(count, draws())


def ascii_ply(*rows: str, colours: bool = True, names: str = "xyz") -> bytes:
    fields = [f"property float {name}" for name in names]
    fields += [f"property uchar {name}" for name in ("red", "green", "blue")] if colours else []
    head = ["ply", "format ascii 1.0", f"element vertex {len(rows)}", *fields, "end_header"]
    return "\n".join([*head, *rows, ""]).encode()


def binary_ply(end: str) -> bytes:
    kind = "little" if end == "<" else "big"
    fields = [f"property float {name}" for name in "xyz"] + [f"property uchar {n}" for n in ("red", "green", "blue")]
    head = "\n".join(["ply", f"format binary_{kind}_endian 1.0", "element vertex 4", *fields, "end_header", ""])
    rows = zip(CORNERS, RGB, strict=True)
    return head.encode() + b"".join(struct.pack(f"{end}3f3B", *place, *rgb) for place, rgb in rows)


ROWS = [f"{x} {y} {z} {r} {g} {b}" for (x, y, z), (r, g, b) in zip(CORNERS, RGB, strict=True)]


@pytest.mark.parametrize(
    "content", [ascii_ply(*ROWS), binary_ply("<"), binary_ply(">")], ids=["ascii", "little-endian", "big-endian"]
)
def test_points_of_a_ply_have_their_places_and_colours(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_bytes(content)
    found = start(tmp_path / "a.ply")
    order = [int((torch.tensor(corner) == found.positions).all(1).nonzero()[0]) for corner in CORNERS]
    assert sorted(order) == [0, 1, 2, 3]
    torch.testing.assert_close(found.rgb[order], torch.from_numpy(RGB / 255).float())


def test_points_without_colours_are_grey(tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_bytes(ascii_ply("0 0 0", "1 0 0", colours=False))
    assert start(tmp_path / "a.ply", 2).rgb is None


def test_points_of_an_obj(tmp_path: Path) -> None:
    lines = [f"v {x} {y} {z} {r / 255} {g / 255} {b / 255}" for (x, y, z), (r, g, b) in zip(CORNERS, RGB, strict=True)]
    (tmp_path / "a.obj").write_text("\n".join(lines) + "\n")
    found = start(tmp_path / "a.obj", up="z")
    assert {tuple(row) for row in found.positions.tolist()} == {tuple(row) for row in CORNERS.tolist()}
    assert found.rgb is not None


def test_gaussians_of_a_viewers_file_have_the_colours_of_degree_0(tmp_path: Path) -> None:
    names = ["x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2"]
    (tmp_path / "a.ply").write_bytes(ascii_ply("0 0 0 1.0 0 -9", colours=False, names=names))
    assert start(tmp_path / "a.ply", 1).rgb.tolist() == [pytest.approx([0.5 + 0.28209479, 0.5, 0])]


@pytest.mark.parametrize("ending", ["ply", "obj", "glb"])
def test_a_mesh_gives_points_on_its_surface_with_its_colours(ending: str, tmp_path: Path) -> None:
    mesh = trimesh.Trimesh(CORNERS, FACES, vertex_colors=RGB, process=False)
    mesh.export(tmp_path / f"a.{ending}")
    found = start(tmp_path / f"a.{ending}", 400, up="z")
    x, y, z = found.positions.T
    on = torch.stack([x, y, z, 1 - x - y - z])  # the four planes
    assert float(on.abs().min(0).values.max()) < 1e-6
    assert float(on.min()) > -1e-6
    expected = torch.stack([x, y, z], 1) @ torch.tensor(RGB[:3] / 255).float() + (1 - x - y - z)[:, None]
    if ending == "glb":  # colours of vertices are of light there, and between them light is mixed
        expected = torch.where(expected <= 0.0031308, 12.92 * expected, 1.055 * expected.clamp(0) ** (1 / 2.4) - 0.055)
    torch.testing.assert_close(found.rgb, expected, atol=2e-3, rtol=0)


def test_a_texture_is_read_between_the_vertices(tmp_path: Path) -> None:
    """Left half of the square red, right half blue: no vertex has seen the edge."""
    image = Image.new("RGB", (64, 64), (255, 0, 0))
    image.paste((0, 0, 255), (32, 0, 64, 64))
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    visual = trimesh.visual.TextureVisuals(uv=square[:, :2], image=image)
    mesh = trimesh.Trimesh(square, [[0, 1, 2], [0, 2, 3]], visual=visual, process=False)
    (tmp_path / "a.glb").write_bytes(mesh.export(file_type="glb"))
    found = start(tmp_path / "a.glb", 500, up="z")
    away = (found.positions[:, 0] - 0.5).abs() > 0.02
    left = found.positions[:, 0] < 0.5
    assert (found.rgb[away & left] == torch.tensor([1.0, 0, 0])).all()
    assert (found.rgb[away & ~left] == torch.tensor([0, 0, 1.0])).all()


def test_coordinates_for_a_texture_that_is_not_there(tmp_path: Path) -> None:
    """Programs write them for every mesh; the colour is then that of the material."""
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    material = trimesh.visual.material.PBRMaterial(baseColorFactor=[1.0, 0.0, 0.0, 1.0])
    visual = trimesh.visual.TextureVisuals(uv=square[:, :2], material=material)
    mesh = trimesh.Trimesh(square, [[0, 1, 2], [0, 2, 3]], visual=visual, process=False)
    (tmp_path / "a.glb").write_bytes(mesh.export(file_type="glb"))
    assert (start(tmp_path / "a.glb", 9).rgb == torch.tensor([1.0, 0, 0])).all()


def test_meshes_of_a_scene_have_their_place_and_colour(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    for name, x, colour in (("one", -1.0, [255, 0, 0, 255]), ("other", 1.0, [0, 0, 255, 255])):
        box = trimesh.creation.box((0.5, 0.5, 0.5))
        box.visual = trimesh.visual.ColorVisuals(box, vertex_colors=np.tile(colour, (8, 1)).astype(np.uint8))
        scene.add_geometry(box, geom_name=name, transform=trimesh.transformations.translation_matrix([x, 0, 0]))
    (tmp_path / "a.glb").write_bytes(scene.export(file_type="glb"))
    found = start(tmp_path / "a.glb", 100, up="z")
    left = found.positions[:, 0] < 0
    assert int(left.sum()) == 50
    assert (found.rgb[left] == torch.tensor([1.0, 0, 0])).all()
    assert (found.rgb[~left] == torch.tensor([0, 0, 1.0])).all()


@pytest.mark.parametrize(
    ("ending", "up", "expected"),
    [
        ("ply", "auto", [1, 0, 0]),  # Point-E and Shap-E: z up
        ("ply", "y", [0, 1, 0]),
        ("obj", "auto", [0, 1, 0]),  # as glTF: x is the object's left, our y
        ("obj", "z", [1, 0, 0]),
    ],
)
def test_the_vertical_axis_is_the_formats_or_the_users(
    ending: str, up: str, expected: list[float], tmp_path: Path
) -> None:
    content = b"v 1 0 0\n" if ending == "obj" else ascii_ply("1 0 0", colours=False)
    (tmp_path / f"a.{ending}").write_bytes(content)
    assert start(tmp_path / f"a.{ending}", 1, up=up).positions.tolist() == [pytest.approx(expected)]


def test_a_mesh_of_ours_comes_back_as_it_was(tmp_path: Path) -> None:
    from bench.exports.mesh_files import MESH_FILES  # the turn that exports make, undone
    from methods.scenes.mesh import Mesh

    mesh = Mesh(CORNERS.astype(np.float32), np.array(FACES), RGB / np.float32(255))
    for ending, up in ((".glb", "auto"), (".obj", "auto"), (".ply", "y")):
        (tmp_path / f"a{ending}").write_bytes(MESH_FILES[ending](mesh))
        found = start(tmp_path / f"a{ending}", 300, up=up)
        front = found.positions[:, 0] > 0.9
        assert float(found.rgb[front, 0].min()) > 0.9
        assert float(found.rgb[front, 2].max()) < 0.5


def test_it_is_moved_and_scaled_into_a_ball_and_turned(tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_bytes(ascii_ply("10 0 5", "14 0 5", "12 1 5", colours=False))
    found = start(tmp_path / "a.ply", 3, radius=0.5).positions
    assert sorted(found[:, 0].tolist()) == pytest.approx([-0.49, 0, 0.49], abs=0.01)
    assert float(found[:, 2].abs().max()) == 0
    assert float(found.norm(dim=1).max()) == pytest.approx(0.5)
    (tmp_path / "b.ply").write_bytes(ascii_ply("1 0 2", colours=False))
    assert start(tmp_path / "b.ply", 1, turn_deg=90.0).positions.tolist() == [pytest.approx([0, 1, 2], abs=1e-6)]
    assert start(tmp_path / "b.ply", 1, radius=0.5).positions.tolist() == [[0, 0, 0]]  # one point is its own middle


def test_each_prompt_has_its_file(tmp_path: Path) -> None:
    part = PointFile(str(tmp_path / "{prompt}" / "{prompt}.ply"))
    assert part.for_cell("blue-duck", 3).path == str(tmp_path / "blue-duck" / "blue-duck.ply")
    assert initialisations["points"] is PointFile


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "cannot be read as PLY"),
        (b"junk", "cannot be read as PLY"),
        (ascii_ply(), "holds no points"),
        (ascii_ply("0 0 nan 1 2 3", "0 1 0 1 2 3"), "1 of its 2 points are not finite"),
        (ascii_ply("0 0 0", "inf 0 0", colours=False), "1 of its 2 points are not finite"),
        (
            ascii_ply("0 0 0", "1 0 0", "2 0 0", colours=False).replace(
                b"end_header", b"element face 1\nproperty list uchar int vertex_indices\nend_header"
            )
            + b"3 0 1 2\n",
            "its triangles have no area",
        ),
    ],
    ids=["empty", "junk", "no-points", "nan", "inf", "no-area"],
)
def test_a_broken_file_is_named_with_a_remedy(content: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.ply").write_bytes(content)
    with pytest.raises(ValueError, match=rf"^path: '.*a\.ply' {why}.*; give points or a mesh \(\.ply") as caught:
        PointFile(str(tmp_path / "a.ply")).check()
    assert "\n" not in str(caught.value)


def test_a_missing_and_a_changed_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.ply"
    with pytest.raises(ValueError, match=r"path: .* cannot be read \(No such file or directory\); give a file"):
        PointFile(str(path)).points(3, draws())
    path.write_bytes(ascii_ply(*ROWS))
    known = PointFile(str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    known.check()
    path.write_bytes(ascii_ply(*ROWS[1:]))
    with pytest.raises(ValueError, match=r"path: .* has SHA-256 .* the file has changed; restore it"):
        known.points(3, draws())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "a.stl"}, "path: 'a.stl' is not the path of a file that ends in .ply, .obj, .glb"),
        ({"path": ""}, "path: '' is not the path"),
        ({"radius": 0.0}, 'radius: 0.0 is not a positive distance in world units or "as_is"'),
    ],
)
def test_refuses_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PointFile(**{"path": "a.ply", **settings})

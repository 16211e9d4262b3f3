import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import trimesh

from reports import ReportError
from reports.pages.meshes import mesh_viewer

#: Linear colours, and the same in sRGB: 18 % grey is 118 of 255.
COLOURS = {"sds": (255, 46, 0), "sdi": (0, 255, 46), "vsd": (46, 0, 255)}
SHOWN = [(255, 118, 0), (0, 255, 118), (118, 0, 255)]


@pytest.fixture
def meshes(tmp_path):
    """A box per method in a colour of its own, the last one larger and off the centre."""
    paths = {}
    for index, (label, colour) in enumerate(COLOURS.items()):
        box = trimesh.creation.box((1.0 + index / 2, 1.0, 1.0))
        box.apply_translation([0.3 * index, 0, 0])
        box.visual = trimesh.visual.ColorVisuals(box, vertex_colors=np.tile((*colour, 255), (8, 1)))
        paths[label] = tmp_path / f"{label}.glb"
        paths[label].write_bytes(box.export(file_type="glb"))
    return paths


def scene_of(content):
    (encoded,) = re.findall(rb'base64_data="([A-Za-z0-9+/=]+)"', content)
    return trimesh.load_scene(io.BytesIO(base64.b64decode(encoded)), file_type="glb", skip_materials=True)


def test_meshes_are_side_by_side_in_order_scale_and_colour(meshes):
    parts = [scene_of(mesh_viewer(meshes)).geometry[f"mesh-{index}"] for index in range(3)]
    for index, (part, colour) in enumerate(zip(parts, SHOWN, strict=True)):
        assert part.extents == pytest.approx([1 + index / 2, 1, 1])
        assert tuple(part.visual.vertex_colors[0][:3]) == colour
    assert parts[0].bounds[1, 0] < parts[1].bounds[0, 0]
    assert parts[1].bounds[1, 0] < parts[2].bounds[0, 0]


def test_many_meshes_are_in_rows_inside_the_cameras_view(meshes):
    many = {f"{label}-{copy}": path for label, path in meshes.items() for copy in range(3)}
    scene = scene_of(mesh_viewer(many))
    rows = {round(float(part.bounds.mean(axis=0)[1]), 3) for part in scene.geometry.values()}
    assert len(rows) == 2
    corners = trimesh.bounds.corners(scene.bounds) - scene.camera_transform[:3, 3]
    across, up = np.abs(corners[:, 0] / corners[:, 2]), np.abs(corners[:, 1] / corners[:, 2])
    assert max(up) < np.tan(np.radians(15))
    assert max(across) < 2 * np.tan(np.radians(15))


def test_the_same_meshes_give_the_same_bytes(meshes):
    assert mesh_viewer(meshes) == mesh_viewer(meshes)


def test_the_viewer_may_not_use_the_network(meshes):
    content = mesh_viewer(meshes).decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', content)
    assert policy.startswith("default-src 'none'; ")
    assert not re.search(r"http|\*|'self'", policy)
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", content)


@pytest.mark.parametrize("content", [b"", b"not a mesh", b"glTF\x02\x00\x00\x00"])
def test_a_file_that_is_not_a_mesh_is_named(tmp_path, content):
    path = tmp_path / "bad.glb"
    path.write_bytes(content)
    with pytest.raises(ReportError, match=rf"cells\.mesh_path: {path} "):
        mesh_viewer({"sds": path})


def test_a_missing_file_is_named():
    with pytest.raises(ReportError, match=r"cells\.mesh_path: /nowhere\.glb "):
        mesh_viewer({"sds": Path("/nowhere.glb")})

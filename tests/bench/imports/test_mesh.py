"""Layout ``mesh``: meshes of our own export and of other programs, rendered by rays."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from bench.cells.finished_scene import load_scene
from bench.errors import InputError
from bench.exports.mesh import export_mesh
from bench.exports.mesh_files import MESH_FILES
from bench.imports.layouts import layouts
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.settings import EvaluationSettings
from bench.study.study import Study
from methods.cameras import evaluation_ring
from methods.scenes.mesh import Mesh

pytest.importorskip("embreex")
RING = EvaluationSettings(views=4, resolution=32)
FRONT, LEFT, BACK, RIGHT = range(4)  # views of the ring: 0 is the front, 90 is at +y
RED, BLUE = (200, 30, 40), (30, 60, 210)


def ball(centre: tuple[float, float, float] = (0, 0, 0), radius: float = 1.0) -> Mesh:
    """A ball, red where x is larger than the centre's, blue elsewhere; in our axes."""
    shape = trimesh.creation.icosphere(4, radius=radius)
    is_front = shape.vertices[:, :1] > 0
    rgb = np.where(is_front, np.array(RED), np.array(BLUE)).astype(np.float32) / 255
    vertices = (shape.vertices + centre).astype(np.float32)
    return Mesh(vertices, np.asarray(shape.faces, np.int64), rgb)


def write(folder: Path, mesh: Mesh, ending: str = ".glb") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"a_ball{ending}").write_bytes(MESH_FILES[ending](mesh))
    return folder


@pytest.mark.parametrize("ending", MESH_FILES)
def test_a_mesh_of_ours_is_seen_as_it_is(tmp_path: Path, ending: str) -> None:
    layout = layouts["mesh"]()
    assert layout.has_our_cameras
    [asset] = layout.assets(write(tmp_path, ball((0.3, 0.1, -0.2), 0.4), ending))
    assert asset.names == ("a_ball", tmp_path.name)
    found = layout.images(asset, RING)
    assert found.azimuth_deg == (0.0, 90.0, 180.0, -90.0)
    assert np.abs(found.rgb[FRONT, 16, 16].astype(int) - RED).max() <= 3  # linear bytes of the GLB
    assert np.abs(found.rgb[BACK, 16, 16].astype(int) - BLUE).max() <= 3
    assert found.opacity is not None
    # fitted: the unit sphere at distance 3 and 40° of view has the radius tan(asin(1/3)) / tan(20°) of half the side
    share = np.pi * (np.tan(np.arcsin(1 / 3)) / np.tan(np.deg2rad(20))) ** 2 / 4
    assert found.opacity.mean(axis=(1, 2)) / 255 == pytest.approx([share] * 4, rel=0.01)
    assert (found.rgb[:, 0, 0] == 255).all()  # the background
    assert found.normals is not None
    towards = (found.normals[:, 16, 16].astype(float) / 255 - 0.5) * 2
    places = evaluation_ring(4).positions.numpy() / 3
    assert np.abs(towards - places).max() < 0.15  # the world's axes, towards the camera


def test_bands_of_rows_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = layouts["mesh"]()
    [asset] = layout.assets(write(tmp_path, ball()))
    right = layout.images(asset, RING)
    monkeypatch.setattr("bench.imports.mesh_rendering._RAYS_AT_ONCE", 3 * 32 * 4)  # which does not divide 32 rows
    found = layout.images(asset, RING)
    for images, theirs in ((found.rgb, right.rgb), (found.opacity, right.opacity), (found.normals, right.normals)):
        assert np.array_equal(images, theirs)


def test_left_is_left(tmp_path: Path) -> None:
    """A ball at +y is right of the middle in the front's view, and nearer in the view from +y."""
    layout = layouts["mesh"](fit=False)
    [asset] = layout.assets(write(tmp_path, ball((0.0, 0.5, 0.0), 0.3)))
    opacity = layout.images(asset, RING).opacity
    assert opacity is not None
    assert opacity[FRONT, :, 16:].sum() > 20 * opacity[FRONT, :, :16].sum()
    assert opacity[BACK, :, :16].sum() > 20 * opacity[BACK, :, 16:].sum()
    assert opacity[LEFT].sum() > 1.5 * opacity[RIGHT].sum()


@pytest.mark.parametrize(
    ("up", "turn_deg", "axes"), [("z", 0.0, [0, 1, 2]), ("y", 0.0, [1, 2, 0]), ("z", 90.0, [1, 0, 2])]
)
def test_axes_of_the_file(tmp_path: Path, up: str, turn_deg: float, axes: list[int]) -> None:
    mesh = ball((0.2, 0.5, 0.1), 0.3)
    turned = mesh.vertices[:, axes].copy()
    if turn_deg:
        turned[:, 1] *= -1  # a quarter turn about z brings (y, −x) to (x, y)
    shape = trimesh.Trimesh(turned, mesh.faces, process=False)
    shape.export(tmp_path / "a.ply")
    reference = write(tmp_path / "b", mesh, ".ply")
    layouts_of = (layouts["mesh"](up=up, turn_deg=turn_deg, fit=False), layouts["mesh"](fit=False))
    found, right = (
        layout.images(layout.assets(folder)[0], RING).opacity
        for layout, folder in zip(layouts_of, (tmp_path, reference), strict=True)
    )
    assert found is not None
    assert right is not None
    assert np.abs(found.astype(int) - right).mean() < 0.5


def textured_box(colour: tuple[int, int, int], ending: str, folder: Path, factor: float | None = None) -> Path:
    box = trimesh.creation.box()
    image = Image.fromarray(np.tile(np.array(colour, np.uint8), (4, 4, 1)))
    uv = np.random.default_rng(0).random((8, 2))
    if ending == ".glb":
        values = None if factor is None else [factor, factor, factor, 1.0]
        material = trimesh.visual.material.PBRMaterial(baseColorTexture=image, baseColorFactor=values)
    else:
        material = trimesh.visual.material.SimpleMaterial(image=image)
    box.visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    folder.mkdir(parents=True, exist_ok=True)
    box.export(folder / f"box{ending}")
    return folder


@pytest.mark.parametrize("ending", [".glb", ".obj"])
def test_textures(tmp_path: Path, ending: str) -> None:
    layout = layouts["mesh"]()
    [asset] = layout.assets(textured_box((200, 120, 60), ending, tmp_path / "a box"))
    assert asset.names == ("box", "a box")
    assert [path.suffix for path in asset.files] == ([".glb"] if ending == ".glb" else [".obj", ".mtl", ".png"])
    found = layout.images(asset, RING)
    assert np.abs(found.rgb[:, 16, 16].astype(int) - (200, 120, 60)).max() <= 1


def test_a_factor_multiplies_light(tmp_path: Path) -> None:
    layout = layouts["mesh"]()
    [asset] = layout.assets(textured_box((200, 200, 200), ".glb", tmp_path, factor=0.5))
    light = ((200 / 255 + 0.055) / 1.055) ** 2.4 * 0.5
    right = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(layout.images(asset, RING).rgb[:, 16, 16] - right).max() <= 1.5


def test_a_texture_is_read_between_its_texels(tmp_path: Path) -> None:
    """A quad across the view with a black and a white texel: a ramp from left to right, and no step."""
    corners = np.array([[0, -1, -1], [0, 1, -1], [0, 1, 1], [0, -1, 1]], float)
    quad = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)
    image = Image.fromarray(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8))
    uv = np.array([[0.25, 0], [0.75, 0], [0.75, 1], [0.25, 1]])
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=image)
    quad.visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    quad.export(tmp_path / "a.glb")
    layout = layouts["mesh"](up="z", fit=False)
    ring = EvaluationSettings(views=2, resolution=32, elevation_deg=0.0, background=0.5)
    found = layout.images(layout.assets(tmp_path)[0], ring)
    row = found.rgb[0, 16, 2:30, 0].astype(int)
    assert row[0] < 15
    assert row[-1] > 240
    assert (np.diff(row) > 0).all()
    assert np.diff(row).max() < 12
    assert (np.diff(found.rgb[1, 16, 2:30, 0].astype(int)) < 0).all()  # mirrored from behind: both sides are seen


def test_colours_of_faces_and_of_materials(tmp_path: Path) -> None:
    box = trimesh.creation.box()
    box.visual.face_colors = [200, 120, 60, 255]
    box.export(tmp_path / "faces.ply")
    plain = trimesh.creation.box()
    plain.visual = trimesh.visual.TextureVisuals(
        material=trimesh.visual.material.PBRMaterial(baseColorFactor=[0.5, 0.5, 0.5, 1.0])
    )
    plain.export(tmp_path / "material.glb")
    (tmp_path / "nothing.obj").write_text(trimesh.Trimesh(box.vertices, box.faces).export(file_type="obj"))
    layout = layouts["mesh"]()
    shades = {asset.names[0]: layout.images(asset, RING).rgb[0, 16, 16].tolist() for asset in layout.assets(tmp_path)}
    assert shades == {
        "faces": [200, 120, 60],
        "material": pytest.approx([188] * 3, abs=1),  # 0.5 of the light
        "nothing": pytest.approx([128] * 3, abs=1),
    }


def test_an_exported_record_has_the_silhouette_of_its_renders(finished: RunStore, study: Study, tmp_path: Path) -> None:
    folder = finished.cell_folder(expand(study)[0])
    export_mesh(folder, tmp_path / "a.glb", resolution=64)
    layout = layouts["mesh"](fit=False)
    found = layout.images(layout.assets(tmp_path)[0], RING).opacity
    assert found is not None
    with torch.no_grad():
        rendering = load_scene(folder).render(evaluation_ring(4), resolution=32, background=torch.ones(4, 3))
    right = rendering.opacity[:, 0].numpy() > 0.5
    mesh = found > 127
    assert (mesh & right).sum() / (mesh | right).sum() > 0.9


def test_a_missing_package_is_named_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embreex", None)
    monkeypatch.delitem(sys.modules, "trimesh.ray.ray_pyembree", raising=False)
    layout = layouts["mesh"]()
    [asset] = layout.assets(write(tmp_path, ball()))
    with pytest.raises(InputError, match=r"rays need the package embreex: pip install '\.\[mesh\]'"):
        layout.images(asset, RING)


def test_files_that_an_obj_names(tmp_path: Path) -> None:
    folder = textured_box((1, 2, 3), ".obj", tmp_path / "a")
    layout = layouts["mesh"]()
    material = folder / "material.mtl"
    text = material.read_text()
    (folder / "maps").mkdir()
    (folder / "material_0.png").rename(folder / "maps" / "wood 1.png")
    material.write_text(text.replace("map_Kd material_0.png", "map_Kd maps\\wood 1.png"))
    [asset] = layout.assets(tmp_path)
    assert asset.files[-1] == folder / "maps" / "wood 1.png"
    assert layout.images(asset, RING).rgb[0, 16, 16].tolist() == [1, 2, 3]
    material.write_text(text.replace("map_Kd material_0.png", "map_Kd -s 1 1 1 maps/wood.png"))
    (folder / "maps" / "wood 1.png").rename(folder / "maps" / "wood.png")
    [asset] = layout.assets(tmp_path)
    assert layout.images(asset, RING).rgb[0, 16, 16].tolist() == [1, 2, 3]
    material.write_text(text.replace("map_Kd material_0.png", "map_Kd ../../secret.png"))
    with pytest.raises(InputError, match=r"names the file '\.\./\.\./secret\.png', which is outside of its folder"):
        layout.assets(tmp_path)
    material.write_text(text)
    with pytest.raises(InputError, match=r"names the file 'material_0\.png', which is missing"):
        layout.assets(tmp_path)


def test_two_meshes_in_a_folder_are_not_chosen_from(tmp_path: Path) -> None:
    write(tmp_path / "a", ball())
    write(tmp_path / "a", ball(), ".ply")
    with pytest.raises(
        InputError, match=r"a: has 2 files \(a_ball.glb, a_ball.ply\), right is one mesh in each folder"
    ):
        layouts["mesh"]().assets(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"), [({"up": "x"}, "up: 'x' is not"), ({"samples": 0}, "samples: 0 is not")]
)
def test_settings_out_of_range(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layouts["mesh"](**settings)

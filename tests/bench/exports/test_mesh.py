from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from safetensors.torch import load_file, save_file

from bench.cells.finished_scene import NoSceneHereError, load_scene
from bench.cells.run_cell import run_cell
from bench.cli import main
from bench.errors import InputError
from bench.exports.mesh import export_mesh
from bench.exports.mesh_files import MESH_FILES, glb, linear_colours
from bench.records.atomic import write_atomically
from bench.records.read_record import read_record
from bench.records.reading import read_png
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study, load_study
from methods.cameras import evaluation_ring
from methods.contracts import Prior
from methods.pixels import NotFiniteError
from methods.scenes.mesh import Mesh
from methods.weights import file_sha256


@pytest.fixture
def folder(finished: RunStore, study: Study) -> Path:
    return finished.cell_folder(expand(study)[0])


def _loaded(path: Path) -> trimesh.Trimesh:
    return trimesh.load_mesh(io.BytesIO(path.read_bytes()), file_type="glb", process=False)


def test_a_scene_comes_back_as_it_was(folder: Path, cell: Cell, prior: Prior) -> None:
    scene = load_scene(folder)
    assert all(torch.equal(value, scene.state_dict()[name]) for name, value in run_cell(cell, prior).scene.items())
    settings = cell.evaluation
    with torch.no_grad():
        opacity = scene.render(
            evaluation_ring(settings.views), resolution=settings.resolution, background=torch.ones(settings.views, 3)
        ).opacity
    opacities = np.stack([read_png(path) for path in sorted((folder / "views").glob("opacity_*.png"))])
    assert np.array_equal((opacity[:, 0] * 255).round().numpy().astype(np.uint8), opacities)


def test_a_record_becomes_a_closed_mesh(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    out = export_mesh(folder, tmp_path / "meshes" / "duck.glb", resolution=32)
    shape = _loaded(out)
    assert shape.is_watertight
    assert shape.volume > 0
    assert np.ptp(shape.vertices, axis=0).max() < 2.0
    export_mesh(folder, tmp_path / "again.glb", resolution=32)
    assert (tmp_path / "again.glb").read_bytes() == out.read_bytes()
    export_mesh(folder, out, resolution=16)
    assert len(_loaded(out).vertices) < len(shape.vertices)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert [path.name for path in out.parent.iterdir()] == ["duck.glb"]


def test_a_glb_holds_the_mesh_with_y_up_and_the_front_at_z() -> None:
    corners = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], np.float32)  # front, left, top
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    rgb = np.array([[1, 0, 0], [0, 0.5, 0], [0, 0, 1], [1, 1, 1]], np.float32)
    content = glb(Mesh(corners, faces, rgb))
    shape = trimesh.load_mesh(io.BytesIO(content), file_type="glb", process=False)
    assert np.array_equal(shape.vertices, [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]])
    assert np.array_equal(shape.faces, faces)
    assert shape.volume == pytest.approx(1 / 6)
    # by the specification's own layout, not by the library that wrote it
    length, kind = struct.unpack_from("<4xII I4x", content)[1], content[16:20]
    assert kind == b"JSON"
    tree = json.loads(content[20 : 20 + struct.unpack_from("<I", content, 12)[0]])
    assert length == len(content)
    primitive = tree["meshes"][0]["primitives"][0]
    assert primitive["attributes"].keys() == {"POSITION", "COLOR_0", "NORMAL"}
    accessor = tree["accessors"][primitive["attributes"]["COLOR_0"]]
    view = tree["bufferViews"][accessor["bufferView"]]
    start = 20 + struct.unpack_from("<I", content, 12)[0] + 8 + view["byteOffset"]
    assert (accessor["componentType"], accessor["type"]) == (5126, "VEC4")  # floats: 8 bits of light are too few
    colours = np.frombuffer(content, np.float32, 16, start).reshape(4, 4)
    assert colours == pytest.approx(np.array([[1, 0, 0, 1], [0, 0.21404, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]]), abs=1e-5)


@pytest.mark.parametrize(
    "load",
    [
        trimesh.load_mesh,
        lambda path: trimesh.load(path, force="mesh"),
        lambda path: trimesh.load_scene(path).to_mesh(),
        lambda path: next(iter(trimesh.load_scene(path).geometry.values())),
        lambda path: trimesh.load_mesh(path, skip_materials=True),  # as the report's viewer does
    ],
    ids=["load_mesh", "load-force-mesh", "load_scene", "geometry", "skip_materials"],
)
def test_trimesh_has_the_colours_of_a_glb_and_keeps_them(load: Callable, tmp_path: Path) -> None:
    corners = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    rgb = np.array([[1, 0, 0], [0, 0.5, 0], [0.2, 0, 1], [1, 1, 1]], np.float32)
    (tmp_path / "a.glb").write_bytes(glb(Mesh(corners, faces, rgb)))
    shape = load(tmp_path / "a.glb")
    linear = [[255, 0, 0, 255], [0, 55, 0, 255], [8, 0, 255, 255], [255, 255, 255, 255]]
    order = [(shape.vertices == corner).all(axis=1).argmax() for corner in corners[:, [1, 2, 0]]]
    assert shape.visual.kind == "vertex"
    assert shape.visual.vertex_colors[order].tolist() == linear
    for ending in ("ply", "obj", "glb"):  # as people convert
        shape.export(tmp_path / f"again.{ending}")
        again = trimesh.load_mesh(tmp_path / f"again.{ending}", process=False)
        assert np.array_equal(again.visual.vertex_colors, shape.visual.vertex_colors)


@pytest.mark.parametrize("ending", ["ply", "obj"])
def test_other_formats_have_the_colours_of_a_screen(ending: str) -> None:
    corners = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    rgb = np.array([[1, 0, 0], [0, 0.5, 0], [0.1, 0.01, 1], [1, 1, 1]], np.float32)
    content = MESH_FILES[f".{ending}"](Mesh(corners, faces, rgb))
    shape = trimesh.load_mesh(io.BytesIO(content), file_type=ending, process=False)
    assert np.array_equal(shape.vertices, corners[:, [1, 2, 0]])
    assert np.array_equal(shape.faces, faces)
    assert shape.visual.vertex_colors[:, :3].tolist() == [[255, 0, 0], [0, 128, 0], [26, 3, 255], [255, 255, 255]]
    again = shape.export(file_type="ply")  # as people convert
    kept = trimesh.load_mesh(io.BytesIO(again), file_type="ply", process=False).visual.vertex_colors
    assert np.array_equal(kept, shape.visual.vertex_colors)
    with pytest.raises(NotFiniteError):
        MESH_FILES[f".{ending}"](Mesh(corners, faces, rgb * np.nan))


def test_linear_colours_are_the_standards() -> None:
    # 18 % grey shows as 0.4614 on a screen, half-way grey is 0.2140 of the light (IEC 61966-2-1)
    assert linear_colours(np.array([0.0, 0.04045, 0.4614, 0.5, 1.0])) == pytest.approx(
        [0.0, 0.0031308, 0.18, 0.2140, 1.0], abs=1e-4
    )


def _state(folder: Path, change) -> None:
    """Another scene than the one that was written, with a record that agrees."""
    path = folder / "scene.safetensors"
    save_file(change(load_file(path)), path)
    fields = json.loads((folder / "record.json").read_text())
    fields["file_bytes"]["scene.safetensors"] = path.stat().st_size
    fields["file_sha256"]["scene.safetensors"] = file_sha256(path)
    write_atomically(folder / "record.json", json.dumps(fields))


def test_a_scene_without_a_surface_is_reported(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the scene has no surface .no density crosses 1e\+06"):
        export_mesh(folder, tmp_path / "a.glb", resolution=16, level=1e6)
    _state(folder, lambda state: {name: value * 0 - 9 * ("bias" in name) for name, value in state.items()})
    with pytest.raises(InputError, match=r"the scene has no surface .its renders are empty"):
        export_mesh(folder, tmp_path / "a.glb", resolution=16)
    assert not (tmp_path / "a.glb").exists()


def test_a_scene_that_is_not_the_records_is_reported(folder: Path, tmp_path: Path) -> None:
    _state(folder, lambda state: dict(list(state.items())[1:]))
    with pytest.raises(NoSceneHereError, match=r"scene.safetensors: is not the scene that the record describes"):
        export_mesh(folder, tmp_path / "a.glb")


def test_a_scene_whose_file_has_changed_is_reported(folder: Path, tmp_path: Path) -> None:
    path = folder / "scene.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # a number that is as good as the one before
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"scene\.safetensors: corrupt record: SHA-256 is .*…, was .*…; the scene has"):
        export_mesh(folder, tmp_path / "a.glb", resolution=16)
    assert not (tmp_path / "a.glb").exists()


def test_a_scene_without_geometry_is_reported(study_file: Path, tmp_path: Path, prior: Prior) -> None:
    study = load_study(study_file).model_copy(update={"scene": {"name": "image", "side": 8}})
    cell = expand(study)[0]
    store = RunStore(tmp_path / "flat")
    store.write(run_cell(cell, prior))
    with pytest.raises(InputError, match=r"Image.* is a scene without geometry"):
        export_mesh(store.cell_folder(cell), tmp_path / "a.glb")


def test_a_cell_without_a_scene_is_reported(folder: Path, tmp_path: Path) -> None:
    fields = json.loads((folder / "record.json").read_text())
    del fields["file_bytes"]["scene.safetensors"], fields["file_sha256"]["scene.safetensors"]
    (folder / "record.json").write_text(json.dumps(fields | {"status": "oom"}))
    with pytest.raises(InputError, match=r"has no scene.safetensors, since the cell ended as oom"):
        export_mesh(folder, tmp_path / "a.glb")


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("a.stl", (), "a.stl: must end in .glb, .ply, .obj"),
        ("a.glb", ("--resolution", "4"), "--resolution = 4: must be from 8 to 512"),
        ("a.glb", ("--level", "-1.0"), "--level = -1.0: must be above 0"),
    ],
)
def test_bad_arguments_are_one_line(
    folder: Path,
    tmp_path: Path,
    out: str,
    options: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["export", str(folder), "--mesh", str(tmp_path / out), *options]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_without_a_record_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder; give a cell's"):
        export_mesh(tmp_path / "none", tmp_path / "a.glb")
    with pytest.raises(InputError, match=r"has no record\.json, so it is not a cell's folder; give one such as"):
        export_mesh(tmp_path, tmp_path / "a.glb")


def test_a_run_folder_in_place_of_a_cell_is_named(folder: Path, tmp_path: Path) -> None:
    cells, run = folder.parent, folder.parent.parent
    for given, what in ((run, "a run folder"), (cells, "the folder of all cells")):
        with pytest.raises(InputError, match=f"is {what}; give the folder of one cell, such as {cells}/"):
            export_mesh(given, tmp_path / "a.glb")
    with pytest.raises(InputError, match=f"is the folder of a cell; give its run folder, {run}$"):  # the other way
        RunStore(folder).read_study()


def test_a_record_is_found_from_within(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert load_scene(Path()) is not None
    assert read_record(Path().absolute()).status == "completed"

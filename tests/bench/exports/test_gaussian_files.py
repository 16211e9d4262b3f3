"""Files of Gaussians, read by readers that are not ours."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation

from bench.cells.run_cell import run_cell
from bench.cli import main
from bench.errors import InputError
from bench.exports.gaussian_files import GAUSSIAN_FILES, ply, splat
from bench.exports.gaussians import export_gaussians
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.study import load_study
from methods.contracts import Prior
from methods.pixels import NotFiniteError
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.gaussians import Gaussians, GaussianScene
from methods.scenes.gaussians.harmonics import basis


def build(count: int = 7, degree: int = 0) -> GaussianScene:
    draws = torch.Generator().manual_seed(0)
    scene = Gaussians(count=count).build(GaussianPrior(), draws)
    scene.harmonics = torch.nn.Parameter(torch.randn(count, (degree + 1) ** 2, 3, generator=draws))
    with torch.no_grad():
        scene.log_scales.add_(torch.randn(count, 3, generator=draws))
        scene.opacity_logits.copy_(torch.randn(count, generator=draws))
    return scene


def read(content: bytes) -> dict[str, np.ndarray]:
    """The columns of a PLY, by trimesh's reader."""
    cloud = trimesh.load_scene(io.BytesIO(content), file_type="ply", process=False).dump()[0]
    fields = cloud.metadata["_ply_raw"]["vertex"]["data"]
    return {name: np.asarray(fields[name]).ravel() for name in fields.dtype.names}


def stack(columns: dict[str, np.ndarray], name: str, count: int) -> np.ndarray:
    return np.stack([columns[f"{name}_{index}"] for index in range(count)], axis=1)


@pytest.mark.parametrize("degree", [0, 3])
def test_the_header_is_that_of_the_reference_code(degree: int, golden: Callable[[str, str], None]) -> None:
    head, _, rows = ply(build(degree=degree)).partition(b"end_header\n")
    golden(f"bench/gaussians_{degree}.ply.txt", head.decode() + "end_header\n")
    assert len(rows) == 7 * 4 * (17 + 3 * ((degree + 1) ** 2 - 1))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_a_ply_has_the_raw_parameters(degree: int) -> None:
    scene = build(degree=degree)
    columns = read(ply(scene))
    means = scene.means.detach().numpy()
    assert columns["x"] == pytest.approx(means[:, 1])  # to the right, seen from the front
    assert columns["y"] == pytest.approx(-means[:, 2])  # down
    assert columns["z"] == pytest.approx(-means[:, 0])  # away
    assert columns["opacity"] == pytest.approx(scene.opacity_logits.detach().numpy())
    assert stack(columns, "scale", 3) == pytest.approx(scene.log_scales.detach().numpy())
    assert stack(columns, "f_dc", 3) == pytest.approx(scene.harmonics.detach().numpy()[:, 0])
    assert all((columns[name] == 0).all() for name in ("nx", "ny", "nz"))
    assert len(columns) == 17 + 3 * ((degree + 1) ** 2 - 1)


def test_the_ellipsoids_are_turned_with_their_centres() -> None:
    scene = build()
    columns = read(ply(scene))

    def covariance(quaternions: np.ndarray, log_scales: np.ndarray) -> np.ndarray:
        axes = Rotation.from_quat(quaternions, scalar_first=True).as_matrix() * np.exp(log_scales)[:, None]
        return axes @ axes.transpose(0, 2, 1)

    ours = covariance(scene.rotations.detach().numpy(), scene.log_scales.detach().numpy())
    theirs = covariance(stack(columns, "rot", 4), stack(columns, "scale", 3))
    for place, (row, sign) in enumerate(((1, 1), (2, -1), (0, -1))):
        for other, (column, other_sign) in enumerate(((1, 1), (2, -1), (0, -1))):
            expected = sign * other_sign * ours[:, row, column]
            assert theirs[:, place, other] == pytest.approx(expected, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_colour_is_the_same_seen_from_the_same_side(degree: int) -> None:
    scene = build(degree=degree)
    columns = read(ply(scene))
    count = (degree + 1) ** 2 - 1
    rest = stack(columns, "f_rest", 3 * count).reshape(7, 3, count)  # red, green, blue
    theirs = np.concatenate([stack(columns, "f_dc", 3)[:, :, None], rest], axis=2)  # (n 3 k)
    directions = torch.nn.functional.normalize(torch.randn(50, 3, generator=torch.Generator().manual_seed(3)), dim=-1)
    turned = directions[:, [1, 2, 0]] * torch.tensor([1.0, -1, -1])
    ours = np.einsum("dk,nkc->ndc", basis(directions, degree).numpy(), scene.harmonics.detach().numpy())
    assert np.einsum("dk,nck->ndc", basis(turned, degree).numpy(), theirs) == pytest.approx(ours, abs=1e-5)


def test_a_splat_has_the_published_layout() -> None:
    """Position and size in floats, colour and turn in bytes, in the order of size times opacity."""
    scene = build(count=20)
    content, columns = splat(scene), read(ply(scene))
    assert len(content) == 32 * 20
    weights = np.exp(stack(columns, "scale", 3).sum(axis=1)) / (1 + np.exp(-columns["opacity"]))
    for row, index in enumerate(np.argsort(-weights)):
        *floats, red, green, blue, alpha, w, x, y, z = struct.unpack_from("<6f8B", content, 32 * row)
        assert floats[:3] == pytest.approx([columns[name][index] for name in "xyz"])
        assert floats[3:] == pytest.approx(np.exp(stack(columns, "scale", 3)[index]), rel=1e-5)
        colour = 0.5 + 0.28209479177387814 * stack(columns, "f_dc", 3)[index]
        assert [red, green, blue] == pytest.approx((255 * colour).clip(0, 255), abs=1)
        assert alpha == pytest.approx(255 / (1 + np.exp(-columns["opacity"][index])), abs=1)
        assert (np.array([w, x, y, z]) - 128) / 128 == pytest.approx(stack(columns, "rot", 4)[index], abs=0.01)


@pytest.mark.parametrize("ending", GAUSSIAN_FILES)
@pytest.mark.parametrize("name", ["means", "log_scales", "rotations", "opacity_logits", "harmonics"])
def test_what_is_not_finite_is_refused(ending: str, name: str) -> None:
    scene = build()
    with torch.no_grad():
        getattr(scene, name)[3] = torch.inf
    with pytest.raises(NotFiniteError, match=f"{name} of the scene are not finite"):
        GAUSSIAN_FILES[ending](scene)


@pytest.fixture
def folder(study_file: Path, tmp_path: Path, prior: Prior) -> Path:
    """The folder of a cell of Gaussians."""
    study = load_study(study_file).model_copy(update={"scene": {"name": "gaussians", "count": 300}})
    store, cell = RunStore(tmp_path / "clouds"), expand(study)[0]
    store.write(run_cell(cell, prior))
    return store.cell_folder(cell)


def test_a_record_is_exported_as_what_the_option_says(folder: Path, tmp_path: Path, capsys: Any) -> None:
    mesh, cloud = tmp_path / "mesh.ply", tmp_path / "cloud.ply"
    arguments = ["export", str(folder), "--mesh", str(mesh), "--gaussians", str(cloud), "--resolution", "32"]
    assert main(arguments) == 0
    assert len(trimesh.load_mesh(mesh).faces) > 100
    assert len(read(cloud.read_bytes())["f_dc_0"]) == 300
    assert main(["export", str(folder), "--gaussians", str(tmp_path / "a.splat")]) == 0
    assert (tmp_path / "a.splat").stat().st_size == 32 * 300
    capsys.readouterr()
    assert main(["export", str(folder)]) == 2
    assert capsys.readouterr().err == (
        "sdibench: export: give --mesh out.glb, or --gaussians out.ply for a scene of Gaussians\n"
    )


def test_bad_arguments_are_reported(folder: Path, finished: RunStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.glb: must end in .ply, .splat, the formats of Gaussians"):
        export_gaussians(folder, tmp_path / "a.glb")
    nerf = finished.record_folders()[0]
    with pytest.raises(InputError, match=r"NeRFScene is a scene without Gaussians; give --mesh out.glb"):
        export_gaussians(nerf, tmp_path / "a.ply")
    assert not (tmp_path / "a.ply").exists()

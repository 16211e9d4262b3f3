"""Layout ``frames``: folders of images, and our own records."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from foreign_renders import colours, normals, opacity, save, write_frames

from bench.errors import InputError
from bench.imports.layouts import layouts
from bench.records.reading import read_png
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.settings import EvaluationSettings
from bench.study.study import Study
from methods.cameras import evaluation_ring

RING = EvaluationSettings(views=4, resolution=8)


def test_a_folder_of_a_prompt_is_an_object_with_its_images_in_natural_order(tmp_path: Path) -> None:
    write_frames(tmp_path / "a_duck", 12)
    write_frames(tmp_path / "a_car", 3)
    layout = layouts["frames"]()
    car, duck = layout.assets(tmp_path)
    assert (car.names, duck.names) == (("a_car",), ("a_duck",))
    assert [path.name for path in duck.files] == [f"{view}.png" for view in range(12)]
    found = layout.images(duck, RING)
    assert np.array_equal(found.rgb, [colours(view) for view in range(12)])
    assert found.opacity is found.normals is None
    assert found.azimuth_deg == tuple(evaluation_ring(12).azimuth_deg.tolist())
    assert not layout.has_our_cameras


def test_a_folder_with_images_is_one_object(tmp_path: Path) -> None:
    [asset] = layouts["frames"]().assets(write_frames(tmp_path / "a_duck"))
    assert asset.names == ("a_duck",)


@pytest.mark.parametrize(
    ("numbers", "names"), [((0, 3), ("0", "3")), ((1, 12), ("seed_1", "seed12")), ((4, 5), ("s4", "S-5"))]
)
def test_folders_of_seeds(tmp_path: Path, numbers: tuple[int, ...], names: tuple[str, ...]) -> None:
    for name in names:
        write_frames(tmp_path / "a_duck" / name)
    found = layouts["frames"]().assets(tmp_path)
    assert sorted((asset.seed, asset.place.name) for asset in found) == sorted(zip(numbers, names, strict=True))
    assert {asset.names for asset in found} == {("a_duck",)}


@pytest.mark.parametrize("kind", ["opacity", "alpha"])
def test_opacity_and_normals_are_read_next_to_the_colours(tmp_path: Path, kind: str) -> None:
    for view in range(11):
        save(colours(view), tmp_path / "a" / f"rgb_{view}.png")
        save(opacity(view), tmp_path / "a" / f"{kind}_{view}.png")
        save(normals(view), tmp_path / "a" / f"normal_{view}.png")
        save(colours(50), tmp_path / "a" / f"depth_{view}.png")
    layout = layouts["frames"]()
    [asset] = layout.assets(tmp_path)
    assert len(asset.files) == 33
    found = layout.images(asset, RING)
    assert np.array_equal(found.rgb, [colours(view) for view in range(11)])
    assert found.opacity is not None
    assert np.array_equal(found.opacity, [opacity(view) for view in range(11)])
    assert found.normals is not None
    assert np.array_equal(found.normals, [normals(view) for view in range(11)])


def test_an_alpha_channel_is_the_opacity_unless_nothing_is_transparent(tmp_path: Path) -> None:
    for view, alpha in enumerate((opacity(0), np.full((8, 8), 255, np.uint8))):
        save(np.dstack([colours(0), alpha]), tmp_path / str(view) / "0.png")
    layout = layouts["frames"]()
    transparent, opaque = (layout.images(asset, RING) for asset in layout.assets(tmp_path))
    assert transparent.opacity is not None
    assert np.array_equal(transparent.opacity[0], opacity(0))
    share = opacity(0)[..., None] / 255
    assert np.abs(transparent.rgb[0] - (colours(0) * share + 255 * (1 - share))).max() <= 0.5 + 1e-4
    assert opaque.opacity is None
    assert np.array_equal(opaque.rgb[0], colours(0))


@pytest.mark.parametrize(
    ("settings", "azimuths"),
    [
        ({}, (0.0, 90.0, 180.0, -90.0)),
        ({"clockwise": True}, (0.0, -90.0, 180.0, 90.0)),
        ({"first_azimuth_deg": 90.0}, (90.0, 180.0, -90.0, 0.0)),
        ({"full_turn_deg": 180.0}, (0.0, 45.0, 90.0, 135.0)),
        ({"full_turn_deg": 480.0}, (0.0, 120.0, -120.0, 0.0)),  # the last of four repeats the first
    ],
)
def test_azimuths(tmp_path: Path, settings: dict[str, float], azimuths: tuple[float, ...]) -> None:
    layout = layouts["frames"](**settings)
    [asset] = layout.assets(write_frames(tmp_path))
    assert layout.images(asset, RING).azimuth_deg == pytest.approx(azimuths)


def test_our_own_cameras_are_checked(tmp_path: Path) -> None:
    layout = layouts["frames"](cameras="evaluation")
    assert layout.has_our_cameras
    [asset] = layout.assets(write_frames(tmp_path))
    assert layout.images(asset, RING).azimuth_deg == tuple(evaluation_ring(4).azimuth_deg.tolist())
    with pytest.raises(InputError, match=r'has 4 images of 8 × 8 pixels, right with cameras = "evaluation" is 5 of'):
        layout.images(asset, EvaluationSettings(views=5, resolution=8))
    with pytest.raises(InputError, match="is 4 of 16 × 16"):
        layout.images(asset, EvaluationSettings(views=4, resolution=16))


def test_the_views_of_a_run_folder_come_back_to_the_byte(finished: RunStore, study: Study, tmp_path: Path) -> None:
    run = shutil.copytree(finished.folder, tmp_path / "copy")
    layout = layouts["frames"](arm="sdi", cameras="evaluation")
    assets = layout.assets(run)
    cells = [cell for cell in expand(study) if cell.label == "sdi"]
    assert sorted((asset.names[0], asset.seed) for asset in assets) == sorted((c.prompt_id, c.seed) for c in cells)
    for asset in assets:
        assert asset.known == {"arm": "sdi", "status": "completed", "steps": 4}
        found = layout.images(asset, study.evaluation)
        for index, rgb in enumerate(found.rgb):
            assert np.array_equal(rgb, read_png(asset.place / f"rgb_{index:03}.png"))
            assert found.opacity is not None
            assert np.array_equal(found.opacity[index], read_png(asset.place / f"opacity_{index:03}.png"))
    with pytest.raises(InputError, match=r"arm = '', right is one of sdi, sds"):
        layouts["frames"]().assets(run)
    with pytest.raises(InputError, match=r"arm = 'sd', right is one of sdi, sds"):
        layouts["frames"](arm="sd").assets(run)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cameras": "ours"}, "cameras: 'ours' is not"),
        ({"full_turn_deg": 0.0}, "full_turn_deg: 0.0 is not"),
        ({"first_azimuth_deg": 999.0}, "first_azimuth_deg: 999.0 is not"),
    ],
)
def test_settings_out_of_range(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layouts["frames"](**settings)

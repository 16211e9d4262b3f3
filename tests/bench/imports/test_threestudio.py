"""Layouts ``threestudio`` and ``mvsdi``: grids are split to the byte, azimuths are the writer's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_renders import colours, normals, opacity, save, write_frames, write_threestudio_trial

from bench.errors import InputError
from bench.imports.layouts import layouts
from bench.study.settings import EvaluationSettings
from methods.cameras import evaluation_ring

RING = EvaluationSettings(views=4, resolution=8)


@pytest.mark.parametrize("level", ["outputs", "experiment", "trial"])
def test_each_level_of_folders_is_read(tmp_path: Path, level: str) -> None:
    trial = write_threestudio_trial(tmp_path / "outputs" / "dreamfusion-sd" / "a_blue_duck@20240131-120000", seed=7)
    folder = {"outputs": trial.parent.parent, "experiment": trial.parent, "trial": trial}[level]
    [asset] = layouts["threestudio"]().assets(folder)
    assert asset.names == ("a blue duck", "a_blue_duck")
    assert asset.seed == 7
    assert asset.known == {
        "system": "dreamfusion-system",
        "experiment": "dreamfusion-sd",
        "steps": 10000,
        "prior": "stabilityai/stable-diffusion-2-1-base",
        "guidance": "stable-diffusion-guidance",
        "guidance_scale": 100.0,
        "cameras": "random-camera-datamodule",
        "test_views": 4,
        "elevation_deg": 15.0,
        "distance": 2.0,
        "fovy_deg": 70.0,
        "test_step": 10000,
    }
    assert [path.name for path in asset.files] == ["0.png", "1.png", "2.png", "3.png", "parsed.yaml", "cmd.txt"]


@pytest.mark.parametrize(
    ("system", "panels"),
    [
        ("dreamfusion-system", ("rgb", "normal", "opacity")),
        ("dreamfusion-system", ("rgb", "opacity")),
        ("dreamfusion-system", ("rgb",)),
        ("fantasia3d-system", ("rgb", "opacity", "normal")),
    ],
)
def test_grids_are_split_to_the_byte(tmp_path: Path, system: str, panels: tuple[str, ...]) -> None:
    layout = layouts["threestudio"]()
    [asset] = layout.assets(write_threestudio_trial(tmp_path / "a", views=12, system=system, panels=panels))
    found = layout.images(asset, RING)
    assert np.array_equal(found.rgb, [colours(view) for view in range(12)])
    for name, images, right in (("opacity", found.opacity, opacity), ("normal", found.normals, normals)):
        assert (images is not None) == (name in panels)
        if images is not None:
            assert np.array_equal(images, [right(view) for view in range(12)])


def test_azimuths_are_those_of_the_writer(tmp_path: Path) -> None:
    layout = layouts["threestudio"]()
    [asset] = layout.assets(write_threestudio_trial(tmp_path / "a", views=13))
    found = layout.images(asset, RING).azimuth_deg
    # RandomCameraDataset of the split "test", and the camera's place by it
    azimuth_deg = torch.linspace(0, 360.0, 13)
    assert torch.remainder(torch.tensor(found) - azimuth_deg + 180, 360).sub(180).abs().max() < 1e-4
    assert all(-180 < angle <= 180 for angle in found)
    azimuth = azimuth_deg * torch.pi / 180
    theirs = torch.stack([torch.cos(azimuth), torch.sin(azimuth)], dim=-1)
    ours = evaluation_ring(12, elevation_deg=0.0, distance=1.0).positions[:, :2]
    assert torch.allclose(theirs[:12], ours, atol=1e-6)  # the same front, and the same sense of turning
    assert found[0] == found[-1] == 0.0


def test_the_newest_test_counts_and_trials_without_one_are_left_out(tmp_path: Path) -> None:
    write_threestudio_trial(tmp_path / "exp" / "a", step=900)
    write_threestudio_trial(tmp_path / "exp" / "a", step=10000)
    (tmp_path / "exp" / "a" / "save" / "it20000-test").mkdir()
    write_threestudio_trial(tmp_path / "exp" / "b", views=0)
    [asset] = layouts["threestudio"]().assets(tmp_path)
    assert asset.files[0].parent.name == "it10000-test"
    assert asset.known["test_step"] == 10000


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("prompt", ["a duck on a plate, 8k", "a DSLR photo of a corgi"])
def test_the_command_states_what_the_configuration_does_not(tmp_path: Path, prompt: str, seed: int | None) -> None:
    trial = write_threestudio_trial(tmp_path / "exp" / "b@20240131-120000")
    (trial / "configs" / "parsed.yaml").unlink()
    stated = f" seed={seed}" if seed is not None else ""
    (trial / "cmd.txt").write_text(
        f"python launch.py --train system.prompt_processor.prompt={prompt}{stated}\nNamespace()\n"
    )
    [asset] = layouts["threestudio"](test_views=4).assets(tmp_path)
    assert (asset.names, asset.seed) == ((prompt, "b"), seed)


def test_a_trial_without_settings_has_its_name_only(tmp_path: Path) -> None:
    trial = write_threestudio_trial(tmp_path / "exp" / "a_duck@20240131-120000", views=3)
    for path in (trial / "configs" / "parsed.yaml", trial / "cmd.txt"):
        path.unlink()
    [asset] = layouts["threestudio"]().assets(tmp_path)
    assert (asset.names, asset.seed, asset.known) == (("a_duck",), None, {"test_step": 10000})
    with pytest.raises(InputError, match="has 3 test views, right is 120, and view 3 is missing"):
        layouts["threestudio"]().images(asset, RING)
    assert len(layouts["threestudio"](test_views=3).images(asset, RING).rgb) == 3


@pytest.mark.parametrize(
    ("system", "panels", "message"),
    [
        ("zero123-system", ("rgb", "rgb", "opacity"), r"24 × 8 pixels, and what its panels of zero123-system are"),
        ("fantasia3d-system", ("opacity", "normal"), r"16 × 8 pixels, and what its panels of fantasia3d-system are"),
        ("dreamfusion-system", ("rgb", "rgb", "normal", "opacity"), r"32 × 8 pixels, and what its panels"),
        ("dreamfusion-system", ("rgb", "opacity", "normal"), r"panel 3 of 3 \(setting panels\): has colours, right is"),
    ],
)
def test_panels_are_not_guessed(tmp_path: Path, system: str, panels: tuple[str, ...], message: str) -> None:
    [asset] = layouts["threestudio"]().assets(write_threestudio_trial(tmp_path / "a", system=system, panels=panels))
    with pytest.raises(InputError, match=message):
        layouts["threestudio"]().images(asset, RING)
    if "rgb" in panels:
        named = tuple("other" if panel == "rgb" and index else panel for index, panel in enumerate(panels))
        found = layouts["threestudio"](panels=named).images(asset, RING)
        assert np.array_equal(found.rgb[1], colours(1))


@pytest.mark.parametrize("panels", [("normal",), ("rgb", "rgb"), ("rgb", "depth"), ("rgb", "opacity", "opacity")])
def test_panels_have_one_rgb_and_known_names(panels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"panels: .* is not a list with one rgb"):
        layouts["threestudio"](panels=panels)


def test_a_stage_without_colours_is_refused(tmp_path: Path) -> None:
    trial = write_threestudio_trial(tmp_path / "a", system="prolificdreamer-system", panels=("normal", "opacity"))
    config = trial / "configs" / "parsed.yaml"
    config.write_text(config.read_text().replace("system:\n", "system:\n  stage: geometry\n"))
    [asset] = layouts["threestudio"]().assets(tmp_path)
    with pytest.raises(InputError, match="is a stage without colours"):
        layouts["threestudio"]().images(asset, RING)


def test_cameras_of_a_data_set_are_refused(tmp_path: Path) -> None:
    trial = write_threestudio_trial(tmp_path / "a")
    config = trial / "configs" / "parsed.yaml"
    config.write_text(config.read_text().replace("random-camera-datamodule", "co3d-datamodule"))
    [asset] = layouts["threestudio"]().assets(tmp_path)
    with pytest.raises(InputError, match="those of a data set"):
        layouts["threestudio"]().images(asset, RING)


def test_mvsdi_takes_the_latest_trial_of_a_slug_and_spreads_its_views(tmp_path: Path) -> None:
    for day, views in ((1, 1), (2, 60), (3, 0)):
        write_threestudio_trial(tmp_path / "mvsd" / f"a_blue_duck@2024010{day}-120000", views=views, seed=day)
    write_threestudio_trial(tmp_path / "mvsd" / "not_one_of_them")
    layout = layouts["mvsdi"]()
    [asset] = layout.assets(tmp_path)
    assert (asset.place.name, asset.seed) == ("a_blue_duck@20240102-120000", 2)
    assert "a blue duck" in asset.names
    found = layout.images(asset, RING)
    places = np.linspace(0, 59, 50, dtype=int)  # load_images of scripts/evaluate.py
    assert np.array_equal(found.rgb, [colours(view) for view in places])
    assert np.allclose(np.mod(found.azimuth_deg, 360), np.mod(np.linspace(0, 360, 60)[places], 360))
    assert found.opacity is not None
    assert np.array_equal(found.opacity, [opacity(view) for view in places])


def test_folders_of_another_layout_are_named(tmp_path: Path) -> None:
    write_frames(tmp_path / "a_duck")
    for name in ("threestudio", "mvsdi"):
        with pytest.raises(InputError, match=r"has no test views of threestudio; give an outputs folder"):
            layouts[name]().assets(tmp_path)
    write_threestudio_trial(tmp_path / "exp" / "no_time")
    with pytest.raises(InputError, match="has no trials named SLUG@TIMESTAMP"):
        layouts["mvsdi"]().assets(tmp_path)
    save(colours(0), tmp_path / "b" / "wide.png")
    save(np.tile(colours(0), (1, 3, 1)), tmp_path / "c" / "0.png")
    wide = layouts["frames"]().assets(tmp_path)[-1]
    with pytest.raises(InputError, match=r'is 3 times as wide as high.*layout "threestudio"'):
        layouts["frames"]().images(wide, RING)

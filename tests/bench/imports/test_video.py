"""Layout ``video``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from foreign_renders import write_gif, write_video

from bench.errors import InputError
from bench.imports.layouts import layouts
from bench.study.settings import EvaluationSettings
from methods.cameras import evaluation_ring

RING = EvaluationSettings(views=4, resolution=8)


def flat(count: int, width: int = 32, height: int = 32) -> list[np.ndarray]:
    """Frames of one grey each, which any codec keeps."""
    return [np.full((height, width, 3), 20 + 200 * frame // count, np.uint8) for frame in range(count)]


@pytest.mark.parametrize(("ending", "codec"), [(".mp4", "mpeg4"), (".webm", "libvpx-vp9"), (".gif", "")])
def test_frames_are_spread_over_the_turn(tmp_path: Path, ending: str, codec: str) -> None:
    frames = flat(30)
    path = tmp_path / f"a_duck{ending}"
    if codec:
        pytest.importorskip("av")
        write_video(path, frames, codec)
    else:
        write_gif(path, frames)
    layout = layouts["video"](views=6)
    [asset] = layout.assets(tmp_path)
    assert (asset.names, asset.files) == (("a_duck", tmp_path.name), (path,))
    found = layout.images(asset, RING)
    shades = found.rgb.reshape(6, -1).astype(int)
    assert np.ptp(shades, axis=1).max() <= 6
    assert np.abs(shades.mean(axis=1) - [frame.flat[0] for frame in frames[::5]]).max() <= 3
    assert found.azimuth_deg == pytest.approx(evaluation_ring(6).azimuth_deg.tolist())
    assert found.opacity is found.normals is None
    turned = layouts["video"](views=2, clockwise=True, first_azimuth_deg=30.0)
    assert turned.images(asset, RING).azimuth_deg == (30.0, -150.0)


def test_frames_between_steps_have_their_own_azimuth(tmp_path: Path) -> None:
    write_gif(tmp_path / "a.gif", flat(10))
    layout = layouts["video"](views=4)
    found = layout.images(layout.assets(tmp_path)[0], RING)
    assert found.azimuth_deg == pytest.approx((0.0, 72.0, 180.0, -108.0))  # frames 0, 2, 5 and 7 of 10


def test_the_first_of_several_panels(tmp_path: Path) -> None:
    grid = [np.concatenate([frame, 255 - frame, 0 * frame], axis=1) for frame in flat(4)]
    write_gif(tmp_path / "a" / "it100-test.gif", grid)
    layout = layouts["video"](views=4, panels=3)
    [asset] = layout.assets(tmp_path)
    assert asset.names == ("a", "it100-test")
    found = layout.images(asset, RING)
    assert found.rgb.shape == (4, 32, 32, 3)
    assert np.abs(found.rgb[0].astype(int) - 20).max() <= 2
    with pytest.raises(InputError, match=r"3 times as wide as high.*give panels = 3 to take the first"):
        layouts["video"](views=4).images(asset, RING)
    with pytest.raises(InputError, match="96 pixels wide, which panels = 5 does not divide"):
        layouts["video"](views=4, panels=5).images(asset, RING)


def test_fewer_frames_than_views(tmp_path: Path) -> None:
    write_gif(tmp_path / "a.gif", flat(4))
    layout = layouts["video"]()
    with pytest.raises(InputError, match="has 4 frames, views = 24 needs at least as many"):
        layout.images(layout.assets(tmp_path)[0], RING)


def test_a_missing_package_is_named_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"x")
    layout = layouts["video"]()
    with pytest.raises(InputError, match=r"videos need the package av: pip install '\.\[video\]'"):
        layout.images(layout.assets(tmp_path)[0], RING)


@pytest.mark.parametrize(("settings", "message"), [({"views": 0}, "views: 0 is not"), ({"panels": 0}, "panels: 0 is")])
def test_settings_out_of_range(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layouts["video"](**settings)

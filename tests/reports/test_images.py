import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reports import ReportError
from reports.grid import GAP, HEAD, LABELS, MARGIN, TILE, draw_grid
from reports.images import FULL_SIDE, THUMBNAIL_SIDE, encode_strip, encode_view, load, ring, rings


def decoded(content):
    return Image.open(io.BytesIO(content)).convert("RGB")


def test_a_ring_starts_at_the_front_and_finds_the_nearest_view_around_the_circle():
    views = pd.DataFrame({"view": range(4), "azimuth_deg": [-100.0, 95.0, -5.0, 170.0]})
    names = [f"{view}.png" for view in range(4)]
    around = ring(views.assign(rgb_path=names, opacity_path=[*names[:3], None], normal_path=None))
    assert around.azimuth_deg == (95.0, 170.0, 260.0, 355.0)
    assert [around.rgb[around.nearest(azimuth)].name for azimuth in (0, 90, 180, 270)] == [
        "2.png",
        "1.png",
        "3.png",
        "0.png",
    ]
    assert set(around.images) == {"rgb"}  # the opacity of one view is missing


def test_cells_and_ground_truths_have_rings_of_their_own(make_frames):
    found = rings(make_frames())
    assert set(found) >= {"sds-mug-0", "ground truthmug", "ground truthred-car"}
    assert len(found) == 3 * 3
    assert {len(around.rgb) for around in found.values()} == {8}


def test_rings_without_ground_truth_and_with_categories(make_frames):
    frames = make_frames()
    views = frames.views[frames.views["cell"] != ""]
    words = dict.fromkeys(("cell", "method", "prompt_id"), "category")
    found, plain = (rings(replace(frames, views=of)) for of in (views.astype(words), views))
    assert found == plain
    assert len(found) == 2 * 3


def test_a_small_view_is_lossless_and_a_strip_has_every_frame_in_order(tmp_path):
    paths = []
    for index in range(3):
        paths.append(tmp_path / f"{index}.png")
        Image.new("RGB", (16, 16), (80 * index, 0, 0)).save(paths[-1])
    thumbnail, full = encode_view(paths[1])
    assert np.array_equal(np.asarray(decoded(thumbnail)), np.asarray(Image.open(paths[1])))
    assert full is None
    joined = decoded(encode_strip(paths))
    assert joined.size == (48, 16)
    assert [joined.getpixel((16 * index + 8, 8))[0] for index in range(3)] == pytest.approx([0, 80, 160], abs=4)


def test_large_renders_are_reduced(tmp_path):
    Image.new("RGB", (1024, 512)).save(tmp_path / "large.png")
    thumbnail, full = encode_view(tmp_path / "large.png")
    assert decoded(thumbnail).size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE // 2)
    assert decoded(full).size == (FULL_SIDE, FULL_SIDE // 2)


def test_an_unreadable_image_is_named(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"not an image")
    for path in (tmp_path / "bad.png", Path("/nowhere.png")):
        with pytest.raises(ReportError, match=rf"views: {path} cannot be read as an image"):
            load(path, 8)


def test_grid_shows_front_and_back_of_truth_and_methods(make_frames):
    frames = make_frames(statuses={("sdi", "mug"): "empty"})
    colours = {"ground truth": (250, 0, 0), "sds": (0, 250, 0), "sdi": (0, 0, 250)}
    for row in frames.views.to_dict("records"):
        shade = 1.0 if abs(row["azimuth_deg"]) < 90 else 0.5
        Image.new("RGB", (8, 8), tuple(int(shade * c) for c in colours[row["method"]])).save(row["rgb_path"])
    image = draw_grid(frames)
    for column, colour in enumerate(colours.values()):
        left = MARGIN + LABELS + column * (2 * TILE + GAP + MARGIN) + TILE // 2
        for row in range(3):
            top = HEAD + MARGIN // 2 + row * (TILE + MARGIN) + TILE // 2
            assert image.getpixel((left, top)) == colour
            assert image.getpixel((left + TILE + GAP, top)) == tuple(c // 2 for c in colour)

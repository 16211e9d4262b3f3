import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reports import ReportError
from reports.grid import GAP, HEAD, LABELS, LINE, MARGIN, PAIR, TILE, draw_grid
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


COLOURS = {"ground truth": (250, 0, 0), "sds": (0, 250, 0), "sdi": (0, 0, 250)}


def _paint(frames, prompts) -> None:
    """A colour for each method, darker for each later prompt, and half of that on the back."""
    for row in frames.views.to_dict("records"):
        shade = 1.0 - 0.2 * list(prompts).index(row["prompt_id"])
        shade *= 1.0 if abs(row["azimuth_deg"]) < 90 else 0.5
        Image.new("RGB", (8, 8), tuple(int(shade * c) for c in COLOURS[row["method"]])).save(row["rgb_path"])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_grid_shows_front_and_back_of_truth_and_methods_the_longer_list_downwards(make_frames, count):
    prompts = dict(list({"duck": "a blue duck", "mug": "a mug", "car": "a red car"}.items())[:count])
    frames = make_frames(prompts=prompts, statuses={("sdi", "mug"): "empty"})
    _paint(frames, prompts)
    image = draw_grid(frames)
    for method, colour in enumerate(COLOURS.values()):
        for prompt in range(count):
            row, column = (prompt, method) if count >= 2 else (method, prompt)
            left = MARGIN + LABELS + column * PAIR + TILE // 2
            top = HEAD + MARGIN // 2 + row * (TILE + MARGIN) + TILE // 2
            shown = tuple(int((1.0 - 0.2 * prompt) * c) for c in colour)
            assert image.getpixel((left, top)) == shown
            assert image.getpixel((left + TILE + GAP, top)) == tuple(
                int((1.0 - 0.2 * prompt) * 0.5 * c) for c in colour
            )
    assert image.width == 2 * MARGIN + LABELS + PAIR * (3 if count >= 2 else count)


def test_a_long_heading_takes_lines_of_its_own(make_frames):
    long = {"duck": "a blue duck that waits for the rain behind a house"}
    images = [draw_grid(make_frames(prompts=prompts)) for prompts in ({"duck": "a duck"}, long)]
    assert images[1].height - images[0].height == 2 * LINE

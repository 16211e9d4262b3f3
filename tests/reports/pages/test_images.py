import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reports.pages.images import write_images

#: Share of each of 43 × 8 cells and 43 ground truths in 150 MB, without 65 MB for the meshes and 15 MB for the rest.
SHARE = (150e6 - 80e6) / (43 * 9)


def render(side, turn, seed):
    """Draw colours, normals and opacity of a ball, with stripes and noise so that it is as rough as a render."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    inside = x**2 + y**2 < 0.5
    normals = np.stack([x, -y, np.sqrt(np.clip(0.5 - x**2 - y**2, 0, None))], axis=-1) / np.sqrt(0.5)
    around = np.arctan2(normals[..., 0], normals[..., 2]) + turn
    stripes = 0.6 + 0.3 * np.sin(12 * around) * np.sin(20 * y)
    grain = np.random.default_rng(seed).normal(0, 0.03, inside.shape)
    light = np.clip(normals @ [0.4, 0.5, 0.77], 0.1, 1) * (stripes + grain)
    rgb = np.where(inside[..., None], np.clip(light[..., None] * [1.0, 0.5, 0.2], 0, 1), 1.0)
    shown = np.where(inside[..., None], (normals + 1) / 2, [0.5, 0.5, 1.0])
    return {"rgb": rgb, "normal": shown, "opacity": inside}


@pytest.mark.parametrize(("side", "views"), [(64, 24), (512, 50)], ids=["toybox", "sd21"])
def test_a_report_of_43_prompts_and_8_methods_has_less_than_150_megabytes(make_frames, tmp_path, side, views):
    frames = make_frames(methods=("sds",), prompts={"mug": "a mug"}, views=views, side=2)
    own = frames.views["cell"] != ""
    for place in range(6):  # each serves several views
        for kind, image in render(side, 2 * np.pi * place / 6, place).items():
            path = tmp_path / f"{kind}-{place}.png"
            Image.fromarray((255 * image).astype(np.uint8)).save(path, compress_level=1)
            frames.views.loc[(frames.views["view"] % 6 == place) & own, f"{kind}_path"] = str(path)
    files: dict[str, bytes] = {}
    images = write_images(frames, files.__setitem__)["sds-mug-0"]
    assert set(images.views) == set(images.turntables) == {"rgb", "normals", "opacity"}
    assert sum(len(content) for name, content in files.items() if "/sds-0/" in name) < SHARE


def test_a_ring_of_one_view_has_a_front_only(make_frames):
    frames = make_frames(methods=("sds",), prompts={"mug": "a mug"}, views=1)
    images = write_images(frames, lambda *_: None)["sds-mug-0"]
    assert list(images.views["rgb"]) == [0]
    assert not images.turntables


def test_views_of_cells_that_are_not_in_the_study_are_left_out(make_frames):
    frames = make_frames(prompts={"mug": "a mug"}, views=1)
    stray = frames.views.assign(cell=frames.views["cell"].replace("sds-mug-0", "stray"))
    frames = type(frames)(**(vars(frames) | {"views": pd.DataFrame(stray)}))
    assert set(write_images(frames, lambda *_: None)) == {"sdi-mug-0", "ground truthmug"}

"""Layout ``gpteval3d``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from foreign_renders import colours, normals, save, write_gpteval3d

from bench.errors import InputError
from bench.imports.layouts import layouts
from bench.study.settings import EvaluationSettings

RING = EvaluationSettings(views=4, resolution=8)
PROMPTS = ["A torn hat", "A soft sofa", "A rusty boat"]


def test_a_method_of_a_tournament(tmp_path: Path) -> None:
    method = write_gpteval3d(tmp_path / "t", "mvdream", PROMPTS, views=13, seeds=2)
    write_gpteval3d(tmp_path / "t", "dreamfusion", PROMPTS[:1])
    (tmp_path / "t" / "prompts.json").write_text(json.dumps(PROMPTS))
    for layout, folder in (
        (layouts["gpteval3d"](), method),
        (layouts["gpteval3d"](method="mvdream"), tmp_path / "t"),
    ):
        assets = layout.assets(folder)
        assert [(asset.names, asset.seed) for asset in assets] == [
            ((prompt, str(number)), seed) for number, prompt in enumerate(PROMPTS) for seed in (0, 1)
        ]
        assert len(assets[0].files) == 26
        found = layout.images(assets[2], RING)
        assert np.array_equal(found.rgb, [colours(view + 5) for view in range(13)])
        assert found.normals is not None
        assert np.array_equal(found.normals, [normals(view + 5) for view in range(13)])
        assert found.opacity is None
        # "the camera angle chosen by Threestudio": linspace(0, 360, n), counter-clockwise from the front
        assert found.azimuth_deg == pytest.approx([0, 30, 60, 90, 120, 150, 180, -150, -120, -90, -60, -30, 0])


def test_numbers_of_three_digits_from_1_as_in_its_readme(tmp_path: Path) -> None:
    for view in range(1, 5):
        save(colours(view), tmp_path / "3" / "0" / f"rgb_{view:03}.png")
    layout = layouts["gpteval3d"]()
    [asset] = layout.assets(tmp_path)
    assert asset.names == ("3",)  # without prompts.json
    assert np.array_equal(layout.images(asset, RING).rgb, [colours(view) for view in range(1, 5)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: (root / "methods/m/0/0/rgb_2.png").unlink(), r"0/0: rgb_2\.png is missing"),
        (lambda root: (root / "methods/m/0/0/normal_3.png").unlink(), r"has 4 rgb_\*\.png and 3 normal_\*\.png"),
        (lambda root: (root / "methods/m/0/0/rgb_0.png").unlink(), r"has 3 rgb_\*\.png and 4 normal"),
        (lambda root: (root / "prompts.json").write_text("[1, 2]"), r"prompts\.json: is not a list of prompts"),
        (lambda root: (root / "prompts.json").write_text("[" * 100_000), r"prompts\.json: is not JSON"),
        (lambda root: (root / "prompts.json").write_text('["one"]'), r"1: is prompt 1, but .*prompts\.json has 0 to 0"),
        (lambda root: (root / "methods/m").rename(root / "methods/.m"), r"method = '', right is one of: none"),
        (lambda root: (root / "methods/n").mkdir(), r"method = '', right is one of: m, n"),
        (lambda root: (root / "methods/m/0/0/rgb_02.png").touch(), r"rgb_2\.png: is view 2, as rgb_02\.png is"),
    ],
)
def test_what_is_wrong_gets_one_line(tmp_path: Path, change: object, message: str) -> None:
    write_gpteval3d(tmp_path, "m", PROMPTS)
    change(tmp_path)  # type: ignore[operator]
    layout = layouts["gpteval3d"]()
    with pytest.raises(InputError, match=message):
        layout.images(layout.assets(tmp_path)[0], RING)


def test_a_folder_of_another_layout(tmp_path: Path) -> None:
    save(colours(0), tmp_path / "a_duck" / "0" / "rgb_0.png")
    with pytest.raises(InputError, match=r"has no PROMPT_NUMBER/SEED/rgb_\*\.png of GPTEval3D"):
        layouts["gpteval3d"]().assets(tmp_path)

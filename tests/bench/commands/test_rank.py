"""Folders of renders that are unlike those that are made here, in a study of their own."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from bench.cli import main

PROMPTS = ("blue-duck", "red-striped-car")


@pytest.mark.parametrize(("views", "side"), [(2, 8), (6, 8), (3, 16)])
def test_the_render_of_another_prompt_has_the_images_of_its_own_folder(tmp_path: Path, views: int, side: int) -> None:
    """Other than the three views of 8 pixels that are rendered here; no camera of theirs is known."""
    for index, prompt in enumerate(PROMPTS):
        (tmp_path / "mine" / prompt).mkdir(parents=True)
        for view in range(views):
            image = Image.new("RGB", (side, side), "white")
            image.paste((200 * index, 90, 90), (side // 4, side // 4, side - side // 4, side - side // 4))
            image.save(tmp_path / "mine" / prompt / f"{view}.png")
    arguments = ("--prompts", "toybox", "--scorers", "toybox", "--views", "3", "--resolution", "8")
    metrics = ("--metrics", "ground_truth", "clip_score")
    assert main(["rank", str(tmp_path / "mine"), *arguments, *metrics, "--out", str(tmp_path / "run")]) == 0
    frame = pd.read_parquet(tmp_path / "run" / "controls.parquet")
    shown = frame[frame["control"] == "other_prompt"]
    assert shown.groupby(["prompt_id", "metric"]).size().unique().tolist() == [views]
    assert shown[shown["metric"] == "psnr"]["value"].isna().all()
    assert frame[frame["control"] == "blank"].groupby(["prompt_id", "metric"]).size().unique().tolist() == [3]
    for prompt, other in zip(PROMPTS, reversed(PROMPTS), strict=True):
        paths = shown[(shown["prompt_id"] == prompt) & (shown["metric"] == "clip_score")]["rgb_path"]
        assert [Path(path).parts[1].split("--")[:2] for path in paths] == [["mine", other]] * views


def test_a_folder_of_other_renders_is_not_taken_for_new_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name / PROMPTS[0]).mkdir(parents=True)
        Image.new("RGB", (8, 8), "white").save(tmp_path / name / PROMPTS[0] / "0.png")
    arguments = [
        "--prompts",
        "toybox",
        "--scorers",
        "toybox",
        "--metrics",
        "clip_score",
        "--out",
        str(tmp_path / "run"),
    ]
    assert main(["rank", str(tmp_path / "ours"), *arguments]) == 0
    capsys.readouterr()
    assert main(["rank", str(tmp_path / "theirs"), *arguments]) == 2
    line = (
        "run: holds the renders of ours too, which are not given; give another folder with --out, or all folders again"
    )
    assert line in capsys.readouterr().err
    assert main(["rank", str(tmp_path / "theirs"), str(tmp_path / "ours"), *arguments]) == 0


@pytest.mark.parametrize(
    ("renders", "message"),
    [
        ('{ name = "frmes", folder = "ours" }', "tiny: methods.other.renders: unknown layout of renders 'frmes'"),
        ('{ name = "frames", folder = "nowhere" }', "nowhere"),
    ],
)
def test_plan_refuses_renders_that_run_would_refuse(
    study_file: Path, capsys: pytest.CaptureFixture[str], renders: str, message: str
) -> None:
    (study_file.parent / "ours").mkdir()
    study_file.write_text(f"{study_file.read_text()}[methods.other]\nrenders = {renders}\n")
    assert main(["plan", str(study_file), "--out", str(study_file.parent / "run")]) == 2
    assert message in capsys.readouterr().err

"""Folders of renders that are unlike those that are made here, in a study of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from bench.cli import main
from bench.errors import StorageError
from bench.imports import import_arms

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


def _save(folder: Path, *, views: int, colour: int) -> None:
    folder.mkdir(parents=True)
    for view in range(views):
        image = Image.new("RGB", (8, 8), "white")
        image.paste((colour, 20 * view, 90), (2, 2, 6, 6))
        image.save(folder / f"{view}.png")


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    """The command that ranks a GIF of 3 frames and a folder of images; by itself it asks for 24 frames."""
    _save(tmp_path / "A" / PROMPTS[1], views=3, colour=30)
    _save(tmp_path / "frames", views=3, colour=200)
    images = [Image.open(path) for path in sorted((tmp_path / "frames").iterdir())]
    (tmp_path / "gifs").mkdir()
    images[0].save(tmp_path / "gifs" / f"{PROMPTS[0]}.gif", save_all=True, append_images=images[1:])
    options = {
        "layouts": ["video", "frames"], "prompts": ["toybox"], "scorers": ["toybox"], "metrics": ["clip_score"],
        "resolution": ["8"], "out": [str(tmp_path / "run")],
    }  # fmt: skip
    given = [word for name, values in options.items() for word in (f"--{name}", *values)]
    return ["rank", str(tmp_path / "gifs"), str(tmp_path / "A"), *given]


@pytest.mark.parametrize("more", [(), ("--names", "g", "other"), ("--views", "3"), ("--metrics", "saturation")])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_failed_rank_is_not_in_the_way_of_the_corrected_one(
    tmp_path: Path, two: list[str], capsys: pytest.CaptureFixture[str], more: tuple[str, ...], *, is_there: bool
) -> None:
    if is_there:
        (tmp_path / "run").mkdir()
    assert main(two) == 2
    assert "has 3 frames, views = 24 needs at least as many" in capsys.readouterr().err
    assert (tmp_path / "run").exists() is is_there
    assert not list(tmp_path.glob("run/*"))
    assert main([*two, "--set", "video.views=3", *more]) == 0


def test_a_run_that_was_there_keeps_what_it_has(
    tmp_path: Path, two: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rest = two[two.index("--layouts") + 3 :]
    assert main(["rank", str(tmp_path / "A"), *rest]) == 0
    before = sorted(path.name for path in (tmp_path / "run" / "cells").iterdir())
    assert main(two) == 2
    assert sorted(path.name for path in (tmp_path / "run" / "cells").iterdir()) == before
    capsys.readouterr()
    assert main([*two, "--set", "video.views=3"]) == 0  # of the GIFs the run has nothing yet
    assert len(list((tmp_path / "run" / "cells").iterdir())) == len(before) + 1


def test_a_row_is_called_by_the_label_that_was_given(
    tmp_path: Path, two: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*two, "--set", "video.views=3"]) == 0
    capsys.readouterr()
    table = ["table", str(tmp_path / "run"), "--format", "csv", "--rows"]
    for rows in (["A", "gifs"], ["A (imported)", "gifs (imported)"], ["A", "A (imported)", "gifs"]):
        assert main([*table, *rows]) == 0
        lines = capsys.readouterr().out.splitlines()[1:]
        assert [line.split(",")[0] for line in lines] == ["A (imported)", "gifs (imported)"]
    data = ["table", str(tmp_path / "run" / "report" / "data"), "--format", "csv", "--rows"]
    assert main([*data, "A", "gifs"]) == 0
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()[1:]] == [
        "A (imported)",
        "gifs (imported)",
    ]
    assert main([*table, "B"]) == 2
    assert "table summary: has no row 'B'; it has gifs (imported), A (imported)" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["rank", "import"])
def test_an_interrupted_first_import_goes_on(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for index, prompt in enumerate(PROMPTS):
        _save(tmp_path / "A" / prompt, views=3, colour=30 * index)
    options = ("--prompts", "toybox", "--scorers", "toybox", "--metrics", "clip_score", "--views", "3")
    given = [command, str(tmp_path / "A"), *options, "--resolution", "8", "--out", str(tmp_path / "run")]
    written = []

    def interrupted(*arguments: object) -> object:
        if written:
            raise KeyboardInterrupt
        written.append(arguments)
        return write(*arguments)

    write = import_arms._write_one
    monkeypatch.setattr(import_arms, "_write_one", interrupted)
    assert main(given) == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(given) == 0
    assert len(list((tmp_path / "run" / "cells").iterdir())) == 2


@pytest.mark.parametrize(("command", "before", "kept"), [("rank", 1, 0), ("import", 1, 1), ("import", 0, 0)])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_first_rank_that_the_disk_stops_leaves_nothing_and_an_import_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, before: int, kept: int, *, is_there: bool
) -> None:
    for index, prompt in enumerate(PROMPTS):
        _save(tmp_path / "A" / prompt, views=3, colour=30 * index)
    options = ("--prompts", "toybox", "--scorers", "toybox", "--metrics", "clip_score", "--views", "3")
    given = [command, str(tmp_path / "A"), *options, "--resolution", "8", "--out", str(tmp_path / "run")]
    if is_there:
        (tmp_path / "run").mkdir()
    written = []

    def refused(*arguments: object) -> object:
        if len(written) == before:
            raise StorageError("the disk is full")
        written.append(arguments)
        return write(*arguments)

    write = import_arms._write_one
    monkeypatch.setattr(import_arms, "_write_one", refused)
    assert main(given) == 2
    monkeypatch.undo()
    assert len(list(tmp_path.glob("run/cells/*"))) == kept
    if not kept:
        assert (tmp_path / "run").exists() is is_there
        assert not list(tmp_path.glob("run/*"))
    assert main([*given, *(("--names", "b") if command == "rank" else ())]) == 0  # another study for rank
    assert len(list(tmp_path.glob("run/cells/*"))) == 2


def test_import_names_a_next_command_for_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _save(tmp_path / "A" / PROMPTS[0], views=3, colour=30)
    assert main(["import", "A", "--prompts", "toybox", "--scorers", "toybox", "--out", "quick"]) == 0
    captured = capsys.readouterr()
    assert "next: sdibench score ./quick, then report" in captured.out + captured.err  # quick is a shipped study


def test_a_new_folder_keeps_what_import_could_read_and_is_not_made_for_nothing(tmp_path: Path) -> None:
    for index, prompt in enumerate(PROMPTS):
        _save(tmp_path / "A" / prompt, views=3, colour=30 * index)
    options = ("--prompts", "toybox", "--scorers", "toybox", "--out", str(tmp_path / "run"))
    for prompt, kept in zip(PROMPTS, ([PROMPTS[1]], []), strict=True):
        (tmp_path / "A" / prompt / "1.png").write_bytes(b"no image")
        assert main(["import", str(tmp_path / "A"), *options]) == 2
        assert [path.name.split("--")[1] for path in (tmp_path / "run").glob("cells/*")] == kept
        assert (tmp_path / "run").exists() is bool(kept)
        shutil.rmtree(tmp_path / "run", ignore_errors=True)


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

"""Renders of other code in the tables of a run, and in a study of their own."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from bench.cli import main
from bench.commands.compare import compare_runs
from bench.commands.merge import merge_runs
from bench.commands.report import report_study
from bench.commands.run import run_study
from bench.commands.score import score_study
from bench.commands.verify import verify_run
from bench.errors import InputError
from bench.records.read_record import read_record
from bench.records.record import ImportedRecord, Record
from bench.records.store import RunStore
from bench.study.study import Study
from bench.watch.divergence import Status

PROMPTS = ("blue-duck", "red-striped-car")


def _save(folder: Path, *, views: int = 3, side: int = 8, seed: int = 0, colour: int | None = None) -> Path:
    """Images of a grey square of noise on white, or of one colour."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for view in range(views):
        image = np.full((side, side, 3), 255 if colour is None else colour, np.uint8)
        if colour is None:
            image[side // 4 : -side // 4, side // 4 : -side // 4] = rng.integers(0, 128, 3)
        Image.fromarray(image).save(folder / f"{view}.png")
    return folder


@pytest.fixture
def renders(tmp_path: Path) -> Path:
    """A folder of renders of both prompts, in two spellings."""
    _save(tmp_path / "mine" / "blue-duck")
    _save(tmp_path / "mine" / "a_red_striped_car", seed=1)
    return tmp_path / "mine"


@pytest.fixture
def scored(finished: RunStore) -> RunStore:
    """A finished run that is to be scored by more metrics."""
    path = finished.folder / "study.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"metrics": ["ground_truth", "clip_score", "saturation"]}))
    return finished


def _import(*arguments: str | Path) -> int:
    return main(["import", *map(str, arguments)])


def _complaint(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line on stderr of a command that ends with status 2."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def _scores(store: RunStore, method: str) -> pd.DataFrame:
    frame = pd.read_parquet(store.folder / "scores.parquet")
    rows = frame[frame["method"] == method].drop(columns=["cell", "method"])
    return rows.sort_values(["prompt_id", "metric", "view"], ignore_index=True)


def test_copies_of_our_own_renders_have_equal_scores_to_the_bit(scored: RunStore, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for cell in scored.folder.glob("cells/sds--*"):
        shutil.copytree(cell / "views", copy / cell.name.split("--")[1])
    assert _import(copy, "--into", scored.folder, "--set", "cameras=evaluation") == 0
    study = scored.read_study()
    score_study(study, scored, Console(quiet=True))
    own, imported = _scores(scored, "sds"), _scores(scored, "copy (imported)")
    assert set(own["metric"]) > {"psnr", "clip_score", "saturation"}
    pd.testing.assert_frame_equal(own, imported, check_exact=True)


def test_an_arm_joins_a_finished_run_marked_and_without_costs(
    scored: RunStore, renders: Path, study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: (path / "record.json").read_bytes() for path in scored.folder.glob("cells/*")}
    assert _import(renders, "--into", scored.folder, "--known", "steps=10000", "prior=SD") == 0
    assert "mine: 2 renders of 2 prompts" in capsys.readouterr().out
    after = {path.name: (path / "record.json").read_bytes() for path in scored.folder.glob("cells/*")}
    assert before.items() < after.items()
    records = [read_record(path) for path in scored.folder.glob("cells/mine--*")]
    assert all(isinstance(record, ImportedRecord) and record.provenance == "imported" for record in records)
    assert {key: str(value) for key, value in records[0].cell.known.items()} == {"steps": "10000", "prior": "SD"}
    assert all("steps_done" not in json.loads(text) for name, text in after.items() if name.startswith("mine--"))

    whole = scored.read_study()
    score_study(whole, scored, Console(quiet=True))
    report = report_study(whole, scored)
    row = next(row for row in report.tables[0].rows if row.label == "mine (imported)")
    entries = dict(zip([column.key for column in report.tables[0].columns], row.entries, strict=True))
    assert entries["clip_score"].n == 2
    assert entries["divergence"].note == "by the images"
    assert {entries[name].mean for name in ("time", "memory", "unet_rows", "psnr", "iou")} == {None}
    page = report.page.read_text()
    assert "Imported mine" in page
    assert "stated steps" in page
    assert "made elsewhere" in page

    assert verify_run(whole, scored, Console(quiet=True))
    run_study(study, scored, Console(quiet=True))  # the study's own file has no such arm, and the run keeps it
    assert "mine" in scored.read_study().methods
    assert list(scored.check(study).methods) == ["sds", "sdi", "mine"]


def test_a_study_names_an_imported_arm(study_file: Path, renders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study_file.write_text(study_file.read_text() + '[methods.other]\nrenders = { name = "frames", folder = "mine" }\n')
    out = study_file.parent / "run"
    assert main(["plan", str(study_file), "--out", str(out)]) == 0
    assert "other: renders are imported when the study is run" in capsys.readouterr().out
    assert main(["run", str(study_file), "--out", str(out)]) == 0
    assert "4 cells, 0 done, 4 to run, 2 imported" in capsys.readouterr().out
    records = [read_record(path.parent) for path in out.glob("cells/*/record.json")]
    assert [sum(isinstance(record, kind) for record in records) for kind in (Record, ImportedRecord)] == [4, 2]
    shutil.move(renders, renders.with_name("moved"))  # a run needs the folder once
    assert main(["run", str(study_file), "--out", str(out)]) == 0
    assert main(["plan", str(out)]) == 0
    assert "other: 2 renders are imported" in capsys.readouterr().out


def test_rank_ends_with_the_page(renders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _save(tmp_path / "theirs" / "blue-duck", seed=5, views=5, side=16)
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a blue duck\na red striped car\na green mug\n")
    arguments = ["rank", str(renders), str(tmp_path / "theirs"), "--prompts", str(prompts), "--scorers", "toybox"]
    arguments += ["--metrics", "clip_score", "--views", "3", "--resolution", "8", "--out", str(tmp_path / "out")]
    (tmp_path / "mine" / "blue-duck").rename(tmp_path / "mine" / "a blue duck")
    (tmp_path / "theirs" / "blue-duck").rename(tmp_path / "theirs" / "A-Blue-Duck")
    assert main(arguments) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "mine: 1 prompts without renders: a-green-mug" in out
    assert (tmp_path / "out/report/index.html").is_file()
    frame = pd.read_parquet(tmp_path / "out/scores.parquet")
    counts = frame.groupby("method").size().to_dict()
    assert counts == {"mine (imported)": 6, "theirs (imported)": 5}
    assert main(arguments) == 0  # again, with nothing left to do
    assert main(["verify", str(tmp_path / "out")]) == 0


def test_seeds_are_places_and_not_claims(tmp_path: Path) -> None:
    for seed in (11, 7):
        _save(tmp_path / "mine" / "blue-duck" / f"seed_{seed}", seed=seed)
    out = tmp_path / "out"
    assert _import(tmp_path / "mine", "--prompts", "toybox", "--scorers", "toybox", "--out", out) == 0
    records = sorted((read_record(path) for path in out.glob("cells/*")), key=lambda record: record.cell.seed)
    assert [(record.cell.seed, record.cell.known["seed"]) for record in records] == [(0, 7), (1, 11)]


def test_more_renders_than_seeds_are_named(
    finished: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (1, 2):
        _save(tmp_path / "mine" / "blue-duck" / str(seed), seed=seed)
    assert _import(tmp_path / "mine", "--into", finished.folder) == 0
    assert "mine: 1 more renders of a prompt than the study has seeds (1), left out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("colour", "status"),
    [(255, Status.EMPTY), (0, Status.EMPTY), (None, Status.COMPLETED)],
    ids=["white", "black", "object"],
)
def test_images_of_nothing_count_as_diverged(
    colour: int | None, status: Status, finished: RunStore, tmp_path: Path
) -> None:
    _save(tmp_path / "mine" / "blue-duck", colour=colour)
    assert _import(tmp_path / "mine", "--into", finished.folder) == 0
    [record] = [read_record(path) for path in finished.folder.glob("cells/mine--*")]
    assert record.status is status
    assert (record.reason is None) == (status is Status.COMPLETED)


@pytest.mark.parametrize(("alpha", "status"), [(0, Status.EMPTY), (253, Status.OPAQUE), (100, Status.COMPLETED)])
def test_the_opacity_is_judged_where_there_is_one(
    alpha: int, status: Status, finished: RunStore, tmp_path: Path
) -> None:
    folder = _save(tmp_path / "mine" / "blue-duck")
    for path in folder.iterdir():
        rgba = np.dstack([np.asarray(Image.open(path)), np.full((8, 8), alpha, np.uint8)])
        Image.fromarray(rgba).save(path)
    assert _import(tmp_path / "mine", "--into", finished.folder) == 0
    [record] = [read_record(path) for path in finished.folder.glob("cells/mine--*")]
    assert (record.status, record.is_opacity_known) == (status, True)


def _times(store: RunStore) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in store.folder.glob("cells/mine--*/record.json")}


def test_changed_renders_are_refused_and_new_ones_added(
    finished: RunStore, renders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(renders / "a_red_striped_car", renders.parent / "later")
    assert _import(renders, "--into", finished.folder) == 0
    shutil.move(renders.parent / "later", renders / "a_red_striped_car")
    assert _import(renders, "--into", finished.folder) == 0
    kept = _times(finished)
    assert len(kept) == 2
    _save(renders / "blue-duck", seed=9)
    error = _complaint(capsys, "import", renders, "--into", finished.folder)
    assert re.search(r"blue-duck has changed since it was imported \(SHA-256 \w+, was \w+\)", error)
    assert kept == {
        path.name: (path / "record.json").stat().st_mtime_ns for path in finished.folder.glob("cells/mine--*")
    }


def test_what_can_be_read_is_imported_and_the_rest_is_one_line(
    finished: RunStore, renders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (renders / "blue-duck" / "1.png").write_bytes(b"no image")
    error = _complaint(capsys, "import", renders, "--into", finished.folder)
    assert "blue-duck/1.png" in error
    assert [path.name.split("--")[1] for path in finished.folder.glob("cells/mine--*")] == ["red-striped-car"]
    assert verify_run(finished.read_study(), finished, Console(quiet=True))
    _save(renders / "blue-duck")
    assert _import(renders, "--into", finished.folder) == 0
    assert len(list(finished.folder.glob("cells/mine--*"))) == 2


def test_a_damaged_record_is_imported_again_while_its_folder_is_there(
    finished: RunStore, renders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _import(renders, "--into", finished.folder) == 0
    [record] = finished.folder.glob("cells/mine--blue-duck--*")
    before = (record / "views/rgb_000.png").read_bytes()
    for is_there in (True, False):
        (record / "views/rgb_000.png").write_bytes(b"damaged")
        assert main(["verify", str(finished.folder), "--redo"]) == 1
        if not is_there:
            shutil.rmtree(renders)
        capsys.readouterr()
        assert main(["run", str(finished.folder)]) == 0
        assert (f"mine: 1 records are missing, and so is {renders}" in capsys.readouterr().out) is not is_there
        assert record.exists() is is_there
        assert not is_there or (record / "views/rgb_000.png").read_bytes() == before


def test_an_arm_that_cannot_be_read_leaves_the_run_as_it_was(
    finished: RunStore, renders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (finished.folder / "study.json").read_bytes()
    for folder in renders.iterdir():
        (folder / "1.png").write_bytes(b"no image")
    assert "(and 1 more, above)" in _complaint(capsys, "import", renders, "--into", finished.folder)
    assert (finished.folder / "study.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give --into RUN to join a run, or --prompts"),
        (("--prompts", "toybox", "--into", "run"), "--into and --prompts exclude each other"),
        (("--into", "run", "--scorers", "toybox"), "--into and --scorers exclude each other"),
        (("--into", "run", "--views", "7"), "--into and --views exclude each other"),
        (("--into", "run", "--out", "elsewhere"), "--into and --out exclude each other"),
        (("--into", "nowhere"), "nowhere"),
        (("--into", "run", "--layout", "frame"), "unknown layout of renders 'frame'"),
        (("--into", "run", "--method", "sds"), "method 'sds': is in"),
        (("--into", "run", "--method", "a b"), "methods: the label 'a b' must be"),
        (("--into", "run", "--set", "cameras"), "--set 'cameras': must be key=value"),
        (("--into", "run", "--set", "camera=evaluation"), "unknown key 'camera'"),
        (
            ("--into", "run", "--set", "frame.cameras=evaluation"),
            "no folder has the layout 'frame': did you mean f",
        ),
        (("--into", "run", "--set", "cameras=ours"), "cameras = 'ours'"),
        (("--into", "run", "--table", "nowhere.csv"), "nowhere.csv"),
        (("--prompts", "toybox", "--scorers", "nobody"), "unknown suite"),
    ],
)
def test_bad_arguments_are_one_line(
    arguments: tuple[str, ...],
    words: str,
    finished: RunStore,
    renders: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(finished.folder.parent)
    assert words in _complaint(capsys, "import", renders, *arguments)


def test_renders_of_no_prompt_are_one_line(
    finished: RunStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _save(tmp_path / "mine" / "a purple cow")
    error = _complaint(capsys, "import", tmp_path / "mine", "--into", finished.folder)
    assert "none of the 1 renders in" in error
    assert "CSV: folder,prompt" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "rank: give at least one folder"),
        (("mine",), "rank: give at least one folder of renders, and --prompts"),
        (("mine", "mine", "--prompts", "toybox", "--scorers", "toybox"), "mine is there twice"),
        (("mine", "--prompts", "toybox", "--names", "a", "b"), "--names: 2 are given for 1 folders"),
        (("mine", "--prompts", "toybox"), "the suite sd21's weights for 'clip' are missing"),
        (("mine", "--prompts", "toybox", "--layouts", "frames", "mesh"), "--layouts: 2 are given for 1 folders"),
        (("mine", "--prompts", "toybox", "--layouts", "video", "--set", "vido.views=3"),
            "--set 'vido.views=3': no folder has the layout 'vido': did you mean video?"),
    ],
)  # fmt: skip
def test_bad_arguments_of_rank_are_one_line(
    arguments: tuple[str, ...],
    words: str,
    renders: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(renders.parent)
    monkeypatch.setenv("SDIBENCH_WEIGHTS", str(renders.parent / "no-weights"))
    assert words in _complaint(capsys, "rank", *arguments)
    assert not (renders.parent / "runs").exists()


def test_runs_with_imported_arms_are_merged_and_compared(
    finished: RunStore, renders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = RunStore(Path(shutil.copytree(finished.folder, tmp_path / "b")))
    assert _import(renders, "--into", finished.folder) == 0
    theirs = _save(tmp_path / "theirs" / "blue-duck", seed=3).parent
    assert _import(theirs, "--into", other.folder) == 0
    whole = RunStore(tmp_path / "whole")
    assert merge_runs([finished, other], whole, Console(quiet=True))
    study = whole.read_study()
    assert list(study.methods) == ["sds", "sdi", "mine", "theirs"]
    assert verify_run(study, whole, Console(quiet=True))
    score_study(study, whole, Console(quiet=True))
    score_study(finished.read_study(), finished, Console(quiet=True))
    comparison = compare_runs(finished, whole)
    assert [row.label for row in comparison.table.rows] == ["sds", "sdi", "mine (imported)"]

    clash = RunStore(Path(shutil.copytree(other.folder, tmp_path / "c")))
    shutil.rmtree(tmp_path / "theirs")
    _save(tmp_path / "elsewhere" / "theirs" / "blue-duck", seed=4)
    third = RunStore(tmp_path / "d")
    shutil.copytree(_without_imports(finished, tmp_path), third.folder)
    assert _import(tmp_path / "elsewhere/theirs", "--into", third.folder) == 0
    with pytest.raises(InputError, match=r"methods\.theirs: the renders of blue-duck \(seed 0\) differ"):
        merge_runs([clash, third], RunStore(tmp_path / "no"), Console(quiet=True))


def _without_imports(finished: RunStore, tmp_path: Path) -> Path:
    """A copy of a run without its imported arms."""
    folder = Path(shutil.copytree(finished.folder, tmp_path / "plain"))
    fields = json.loads((folder / "study.json").read_text())
    fields["methods"].pop("mine")
    fields["pinned"].pop("imports")
    (folder / "study.json").write_text(json.dumps(fields))
    return folder


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('renders = "mine"', "must be a table with name and folder"),
        ('renders = { name = "frames" }', "must be a table with name and folder"),
        ('renders = { name = "frames", folder = "mine", table = 3 }', "must be the path of a CSV"),
        ('renders = { name = "frames", folder = "mine" }\nmethod = "sds"', "unknown key 'method'"),
        ('renders = { name = "frames", folder = "mine" }\nknown = 3', "must be a table of facts"),
    ],
)
def test_a_malformed_arm_is_one_line(
    table: str, words: str, study_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study_file.write_text(f"{study_file.read_text()}[methods.mine]\n{table}\n")
    assert words in _complaint(capsys, "run", study_file, "--out", study_file.parent / "run")

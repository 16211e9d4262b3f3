import dataclasses

import pandas as pd
import pytest

from reports import Claim, ReportData, ReportError, Reproduction, is_data, read_data

ARMS = ("sds", "sdi", "csd")


@pytest.fixture
def data(make_frames):
    frames = make_frames(methods=ARMS, seeds=(0, 1), controls=True, statuses={("csd", "mug"): "nan"}, images=False)
    return ReportData(
        frames,
        title="Toy, ‘small’",
        baseline="sds",
        own_baselines={"csd": "sdi"},
        notes=["A note, with a comma."],
        claims=[Claim("SDI", "finer", "sdi", "sds", "clip_score", expects="level")],
        reproduction=Reproduction(("table1",), "toybox", "toybox"),
    )


def write(data, folder):
    folder.mkdir(exist_ok=True)
    for name, text in data.files().items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_files_give_the_same_tables_to_the_last_bit(data, tmp_path):
    read = read_data(write(data, tmp_path))
    expected = [table for table in data.tables() if table.name != "variance"]
    assert "variance" in {table.name for table in data.tables()}
    assert {"summary", "claims", "differences", "comparisons"} <= {table.name for table in expected}
    assert read.tables() == expected


def test_what_is_read_is_written_again_with_the_same_bytes(data, tmp_path):
    assert read_data(write(data, tmp_path)).files() == data.files()


def test_a_cell_has_its_scores_in_printed_units(data, tmp_path):
    cells = pd.read_csv(write(data, tmp_path) / "cells.csv", keep_default_na=False, na_values=[""])
    frames = data.frames
    assert list(cells["cell"]) == list(frames.cells["cell"])
    metrics = frames.metric_columns.set_index("metric")["scale"]
    for metric in ("clip_score", "extra_faces"):
        of_views = frames.scores[frames.scores["metric"] == metric].groupby("cell")["value"].mean()
        finished = cells[cells["status"] == "completed"]
        expected = finished["cell"].map(of_views) * float(metrics[metric])
        assert finished[metric].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-12)
    lost = cells[cells["status"] == "nan"]
    assert len(lost) == 2
    assert lost["clip_score"].isna().all()


def test_no_path_of_a_record_is_in_them(data):
    frames = data.frames
    folder = "/home/someone/runs"
    cells = frames.cells.assign(folder=folder, mesh_path=f"{folder}/a.glb", settings='{"a": 1}')
    files = dataclasses.replace(data, frames=dataclasses.replace(frames, cells=cells)).files()
    assert not any("/home" in text or '"a"' in text for text in files.values())


def test_only_a_folder_with_the_files_is_one(data, tmp_path):
    assert not is_data(tmp_path)
    assert is_data(write(data, tmp_path))


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("tables.json", lambda text: "{", "tables.json: Invalid JSON"),
        ("tables.json", lambda text: "[]", "tables.json: Input should be an object"),
        ("tables.json", lambda text: text.replace('"format": 1', '"format": 2'), "format = 2, must be 1"),
        ("tables.json", lambda text: text.replace('"notes"', '"note"'), "notes: Field required|note: Extra inputs"),
        ("tables.json", lambda text: text.replace('"rows"', '"colour": 1, "rows"'), "colour: Extra inputs"),
        ("tables.json", lambda text: text.replace('"own_baselines": {', '"own_baselines": [{'), "Invalid JSON"),
        ("tables.json", lambda text: "[" * 100_000, "tables.json: Invalid JSON"),
        ("cells.csv", lambda text: "", "No columns"),
        ("cells.csv", lambda text: "\n".join(text.splitlines()[:5]) + "\n", "has 4 whole rows or fewer, must have 18"),
        ("cells.csv", lambda text: text[:-5], "has 18 whole rows or fewer, must have 18"),
        ("cells.csv", lambda text: text.replace("seed,", "seeds,"), "has no column 'seed'"),
        (
            "cells.csv",
            lambda text: text.replace(",0,completed", ",99999999999999999999999,completed"),
            "too large",
        ),
        ("cells.csv", lambda text: text.replace(",sds,", ",,"), "a cell has no method"),
        ("columns.csv", lambda text: text.replace(",higher,", ",up,"), "direction: Input should be 'higher'"),
        ("columns.csv", lambda text: text.replace(",True,", ",true,"), "headline: Input should be 'True'"),
        (
            "columns.csv",
            lambda text: text.replace('{""', '[""'),
            "card: Invalid JSON",
        ),
        ("controls.csv", None, "No such file"),
    ],
)
def test_files_that_cannot_be_read_are_refused(data, tmp_path, name, change, reason):
    path = write(data, tmp_path) / name
    path.unlink() if change is None else path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ReportError, match=reason) as caught:
        read_data(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: cannot be read as the data of a report: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("label", ["1", "nan", "None", "a, b", 'a "b"', "é κ", "a\nb"])
def test_any_text_is_read_back_as_it_was(make_frames, tmp_path, label):
    frames = make_frames(methods=("sds", "sdi"), images=False)
    parts = {name: getattr(frames, name).replace({"method": {"sdi": label}}) for name in ("cells", "scores")}
    data = ReportData(dataclasses.replace(frames, **parts), title=label, baseline="sds", notes=[label])
    read = read_data(write(data, tmp_path))
    assert read.frames.methods == ["sds", label]
    assert read.tables() == [table for table in data.tables() if table.name != "variance"]


def test_a_run_folder_is_none(data, tmp_path):
    (write(data, tmp_path) / "study.json").touch()
    assert not is_data(tmp_path)

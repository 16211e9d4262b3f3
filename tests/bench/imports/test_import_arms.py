"""Several imported arms of one study."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from foreign_renders import colours, save, write_frames
from rich.console import Console

from bench.errors import InputError
from bench.imports import import_arms as importing
from bench.imports.import_arms import import_arms
from bench.records.store import RunStore
from bench.study.imported_arms import imported_cells
from bench.study.imported_cell import ImportedCell
from bench.study.study import load_study


@pytest.mark.parametrize(
    ("value", "bounds", "status"),
    [
        (0, "", "empty"),
        (0, "empty_opacity = 0.0", "completed"),
        (255, "", "completed"),  # a background of their own, and colours in it
        (254, "", "opaque"),
        (254, "opaque_opacity = 1.0", "completed"),
        (100, "empty_opacity = 0.5", "empty"),
    ],
)
def test_renders_are_judged_by_the_bounds_of_the_study(study_file: Path, value: int, bounds: str, status: str) -> None:
    for view in range(3):
        alpha = np.full((8, 8, 1), value, np.uint8)
        save(np.concatenate([colours(view), alpha], axis=-1), study_file.parent / f"mine/blue-duck/{view}.png")
    arm = '[methods.mine]\nrenders = { name = "frames", folder = "mine" }\n'
    study_file.write_text(f"{study_file.read_text()}{arm}[divergence]\n{bounds}\n")
    store = RunStore(study_file.parent / "run")
    study = import_arms(load_study(study_file), store, Console(quiet=True))
    [cell] = imported_cells(study)
    record = store.read(cell)
    assert record is not None
    assert record.status == status


def test_an_arm_that_cannot_be_read_stops_no_other(study_file: Path) -> None:
    for label in ("bad", "mine"):
        write_frames(study_file.parent / label / "blue-duck")
    (study_file.parent / "bad/blue-duck/1.png").write_bytes(b"no image")
    arms = "".join(f'[methods.{x}]\nrenders = {{ name = "frames", folder = "{x}" }}\n' for x in ("bad", "mine"))
    study_file.write_text(study_file.read_text() + arms)
    store = RunStore(study_file.parent / "run")
    with pytest.raises(InputError, match=r"bad/blue-duck/1\.png"):
        import_arms(load_study(study_file), store, Console(quiet=True))
    assert list(json.loads((store.folder / "study.json").read_text())["pinned"]["imports"]) == ["mine"]
    assert [folder.name.split("--")[0] for folder in store.record_folders()] == ["mine"]


@pytest.mark.parametrize("theirs", ["nothing", "the same record", "another record", "another study"])
def test_a_failed_import_deletes_what_it_wrote_itself(
    study_file: Path, monkeypatch: pytest.MonkeyPatch, theirs: str
) -> None:
    """And nothing of another process, which has started a run in the same new folder at the same time."""
    for prompt in ("blue-duck", "red-striped-car"):
        write_frames(study_file.parent / "mine" / prompt)
    study_file.write_text(f'{study_file.read_text()}[methods.mine]\nrenders = {{ name = "frames", folder = "mine" }}\n')
    study = load_study(study_file)
    made, store = RunStore(study_file.parent / "made"), RunStore(study_file.parent / "run")
    import_arms(study, made, Console(quiet=True))
    text = json.dumps({"name": "another"})
    written = []

    def one_then_none(cell: ImportedCell, *arguments: object) -> object:
        if not written and theirs == "the same record":
            shutil.copytree(made.cell_folder(cell), store.cell_folder(cell))
        if written:
            if theirs == "another record":
                shutil.copytree(made.cell_folder(cell), store.cell_folder(cell))
            if theirs == "another study":
                (store.folder / "study.json").write_text(text)
            raise OSError
        written.append(cell)
        return write(cell, *arguments)

    write = importing._write_one
    monkeypatch.setattr(importing, "_write_one", one_then_none)
    with pytest.raises(OSError):  # noqa: PT011  (it is raised above)
        import_arms(study, store, Console(quiet=True), partly=False)
    kept = {folder.name for folder in store.record_folders()}
    first, second = (cell.folder_name for cell in imported_cells(made.read_study()))
    assert kept == {"the same record": {first}, "another record": {second}}.get(theirs, set())
    assert store.has_study is (theirs != "nothing")  # their records are no run without it
    assert store.folder.exists() is store.has_study
    if theirs == "another study":
        assert (store.folder / "study.json").read_text() == text


def test_rows_of_a_table_without_a_folder_are_named_and_a_table_of_only_such_is_refused(
    study_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_frames(study_file.parent / "mine" / "1")
    write_frames(study_file.parent / "other" / "3")
    table = study_file.parent / "table.csv"
    renders = '{{ name = "frames", folder = "{0}", table = "table.csv" }}'.format
    arms = "".join(f"[methods.{label}]\nrenders = {renders(label)}\n" for label in ("mine", "other"))
    study_file.write_text(study_file.read_text() + arms)
    table.write_text("folder,prompt\n1,blue-duck\n2,blue-duck\n3,blue-duck\n")  # 1 and 3: each of one arm
    import_arms(load_study(study_file), RunStore(study_file.parent / "run"), Console(width=400))
    assert f"tiny: {table}: 1 rows whose folder is not there: 2\n" in capsys.readouterr().out
    table.write_text("folder,prompt\nmine/1,blue-duck\nother/3,blue-duck\n")
    for folder in ("mine/1", "other/3"):
        (study_file.parent / folder).rename(study_file.parent / folder.replace("/", "/blue-duck").rstrip("13"))
    with pytest.raises(InputError, match=r"table\.csv: folder = 'mine/1': no row names renders in .*mine or .*other;"):
        import_arms(load_study(study_file), RunStore(study_file.parent / "again"), Console(quiet=True))

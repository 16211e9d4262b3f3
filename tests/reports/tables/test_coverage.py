import dataclasses

from reports.tables import Measured
from reports.tables.coverage import coverage, failures_table


def test_every_missing_cell_is_listed_with_its_reason(make_frames):
    frames = make_frames(methods=("sds", "sdi"), statuses={("sds", "mug"): "empty", ("sdi", "red-car"): "oom"})
    why = frames.cells["failure"].where(frames.cells["status"] != "oom", "MemoryError: " + "x" * 300 + "\nmore")
    cells = frames.cells.assign(failure=why)
    cells = cells[cells["cell"] != "sdi-blue-duck-0"]
    table = failures_table(Measured(dataclasses.replace(frames, cells=cells), "sds"), ["Toy scorers."])
    got = [(row.part, row.label, row.entries[0].text, row.entries[1].mean) for row in table.rows]
    assert got == [
        ("sds", "mug", "empty", 50.0),
        ("sdi", "red-car", "oom", 50.0),
        ("sdi", "blue-duck", "not run", None),
    ]
    assert table.rows[0].entries[0].cells == ("sds-mug-0",)
    assert table.rows[0].entries[3].text == "is empty"
    reason = table.rows[1].entries[3].text
    assert reason.startswith("MemoryError: xxx")
    assert reason.endswith("x…")
    assert len(reason) == 200
    assert table.caption == ("3 of 6 cells; steps are those before the end.", "Toy scorers.")


def test_seeds_are_named_where_there_are_several(make_frames):
    frames = make_frames(methods=("sds",), seeds=(3, 4), statuses={("sds", "mug"): "nan"}, views=1)
    assert [row.label for row in failures_table(Measured(frames, "sds"), []).rows] == ["mug, seed 3", "mug, seed 4"]


def test_no_table_where_all_completed(make_frames):
    assert failures_table(Measured(make_frames(views=1), "sds"), []) is None


def test_an_imported_arm_of_one_prompt_is_no_failure(make_frames, as_imported):
    frames = as_imported(make_frames(methods=("sds", "vsd", "sdi"), views=1, images=False), "sdi", ["mug"])
    assert failures_table(Measured(frames, "sds"), []) is None
    assert coverage(Measured(frames, "sds")) == (
        "Prompts that every method completed: 1 of 3, of those that were run; ranks are adjusted for the others. sdi "
        "has renders of 1 of 3 prompts."
    )
    frames = dataclasses.replace(frames, cells=frames.cells[frames.cells["cell"] != "sds-red-car-0"])
    table = failures_table(Measured(frames, "sds"), [])
    assert table.caption[0] == "1 of 7 cells; steps are those before the end."
    assert "and cells that did not complete have a table of their own. sdi" in coverage(Measured(frames, "sds"))

import dataclasses

import pytest

from reports.part import part_of
from reports.tables import Measured
from reports.tables.divergence import divergence_table

MANY = {f"p{index}": f"object {index}" for index in range(43)}


def entries(table, label):
    row = next(row for row in table.rows if row.label == label)
    return dict(zip([column.key for column in table.columns], row.entries, strict=True))


def test_every_cell_is_counted_once(make_frames):
    frames = make_frames(statuses={("sds", "mug"): "timeout", ("sds", "red-car"): "frozen"})
    table = divergence_table(Measured(frames, "sds"), [])
    for row in table.rows:
        got = entries(table, row.label)
        statuses = frames.cells.loc[frames.cells["method"] == row.label, "status"].value_counts().to_dict()
        counted = {key: got[key].mean for key in got if got[key].cells and key != "divergence"}
        assert got["cells"].mean == 3
        assert counted == statuses
    assert entries(table, "sds")["frozen"].cells == ("sds-red-car-0",)


def test_a_method_that_alone_loses_ten_prompts_diverges_more_often(make_frames):
    statuses = {("sdi", f"p{index}"): "nan" for index in range(10)} | {("ism", "p0"): "empty", ("ism", "p11"): "oom"}
    measured = Measured(make_frames(methods=("sds", "sdi", "ism"), prompts=MANY, views=1, statuses=statuses), "sds")
    table = divergence_table(measured, [])
    sds, sdi, ism = (entries(table, method) for method in ("sds", "sdi", "ism"))
    assert sdi["p"].mean == pytest.approx(2 / 2**10)  # all ten pairs that differ are lost by the one
    assert (sdi["p_holm"].mean, sdi["verdict"].text) == (pytest.approx(4 / 2**10), "more often")
    assert (ism["p"].mean, ism["verdict"].text) == (1.0, "cannot tell")
    assert (sds["p"].mean, sds["verdict"].text) == (None, "")
    reverse = entries(divergence_table(Measured(measured.frames, "sdi"), []), "sds")
    assert reverse["verdict"].text == "less often"


def test_seeds_of_a_prompt_count_as_one_prompt(make_frames):
    statuses = {("sdi", f"p{index}"): "nan" for index in range(6)}
    measured = Measured(make_frames(prompts=MANY, seeds=(0, 1), views=1, statuses=statuses), "sds")
    table = divergence_table(measured, [])
    got = entries(table, "sdi")
    assert (got["divergence"].text, got["divergence"].n) == ("12/86", 43)
    assert got["p"].mean == pytest.approx(2 / 2**6, rel=0.1)  # sampled; not the 2 / 2¹² of 12 cells
    assert any("sign-flip" in sentence for sentence in table.caption)


def test_methods_that_lose_nothing_have_no_verdict(make_frames):
    got = entries(divergence_table(Measured(make_frames(), "sds"), []), "sdi")
    assert (got["p"].mean, got["p"].why) == (None, "no prompt is lost by one method alone")
    assert got["verdict"].text == "cannot tell"


def test_more_starts_are_counted_and_explained_where_there_are_some(make_frames):
    frames = make_frames(views=1)
    attempts = frames.cells["attempts"].where(frames.cells["method"] != "sdi", 2)
    table = divergence_table(
        Measured(dataclasses.replace(frames, cells=frames.cells.assign(attempts=attempts)), "sds"), []
    )
    assert [entries(table, method)["more_starts"].mean for method in ("sds", "sdi")] == [0, 3]
    for columns in ((), ("more_starts",), ("divergence",)):
        assert "More starts: " in " ".join(part_of(table, columns=columns).caption)
    assert "More starts: " not in " ".join(part_of(table, columns=("cells",)).caption)
    assert "More starts: " not in " ".join(divergence_table(Measured(frames, "sds"), []).caption)

import pytest

from reports.frames import ReportError
from reports.part import part_of
from reports.render import FORMATS
from reports.tables import all_tables


@pytest.fixture(scope="module")
def tables(make_frames):
    frames = make_frames(methods=("sds", "sdi", "ism"), controls=True)
    return {table.name: table for table in all_tables(frames, ["A note."], baseline="sds")}


def test_nothing_chosen_is_the_whole_table(tables):
    for table in tables.values():
        assert part_of(table) == table


def test_rows_and_columns_are_in_the_order_of_their_names(tables):
    whole = tables["summary"]
    part = part_of(whole, rows=("sdi", "blank image", "sds"), columns=("psnr", "clip_score"))
    assert [column.key for column in part.columns] == ["psnr", "clip_score"]
    assert [row.label for row in part.rows] == ["sdi", "sds", "blank image"]  # controls are a part of their own
    keys, rows = [column.key for column in whole.columns], {row.label: row for row in whole.rows}
    for row in part.rows:
        assert row.entries == tuple(rows[row.label].entries[keys.index(key)] for key in ("psnr", "clip_score"))
    assert part.caption == tuple(
        each for each in whole.caption if not each.startswith(("Div.", "Time", "Memory", "UNet"))
    )


def test_sentences_are_about_what_is_there(tables):
    whole = tables["summary"]
    about = {"divergence": "Div.", "time": "Time", "memory": "Memory", "unet_rows": "UNet rows"}
    for key in ("clip_score", *about):
        caption = part_of(whole, columns=(key,)).caption
        assert [word for word in about.values() if any(each.startswith(word) for each in caption)] == (
            [about[key]] if key in about else []
        )
    assert part_of(tables["cost"], columns=("total",)).caption == tables["cost"].caption  # about the whole table


def test_footnotes_are_of_the_columns_that_are_there(tables):
    assert [footnote.keys for footnote in tables["summary"].footnotes] == [("quality", "sharpness")]
    assert part_of(tables["summary"], columns=("clip_score",)).footnotes == ()
    assert part_of(tables["summary"], columns=("sharpness",)).footnotes == tables["summary"].footnotes
    assert part_of(tables["comparisons"], columns=("p",)).footnotes == tables["comparisons"].footnotes  # of its rows


def test_rows_of_one_label_in_several_parts_stay(tables):
    whole = tables["comparisons"]
    part = part_of(whole, rows=("sdi",), columns=("difference", "p_holm"))
    assert [row.part for row in part.rows] == list(dict.fromkeys(row.part for row in whole.rows))
    for row in part.rows:
        assert [column.key for column in row.columns] == ["difference", "p_holm"]


def test_means_alone_have_nothing_next_to_them(tables):
    whole, part = tables["summary"], part_of(tables["summary"], means_only=True)
    of_spread = ("±", "A mean has an interval", "So n falls")
    assert part.caption == tuple(each for each in whole.caption if not each.startswith(of_spread))
    assert len(whole.caption) - len(part.caption) == 3
    cost = tables["cost"]
    assert part_of(cost, means_only=True).caption == (*cost.caption, "Of each entry only the mean is shown.")
    for row, other in zip(whole.rows, part.rows, strict=True):
        for entry, plain in zip(row.entries, other.entries, strict=True):
            assert plain.mean == entry.mean
            assert (plain.sd, plain.n, plain.low, plain.high, plain.group, plain.note) == (None,) * 5 + ("",)
    for render in FORMATS.values():
        assert "±" not in render(part)
        assert r"\pm" not in render(part)
    assert "@{" not in FORMATS["tex"](part)  # no empty column behind each column of numbers


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"columns": ("clip",)}, "table summary: has no column 'clip'; it has clip_score, quality, "),
        ({"rows": ("sdj",)}, "table summary: has no row 'sdj'; it has sds, sdi, ism, blank image, "),
    ],
)
def test_other_names_are_refused_with_those_that_there_are(tables, given, message):
    with pytest.raises(ReportError, match=message):
        part_of(tables["summary"], **given)

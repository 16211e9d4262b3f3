import dataclasses

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import ReportError
from reports.frames import _has_twice, listed


@pytest.mark.parametrize("name", ["cells", "scores", "events", "views", "metric_columns"])
def test_each_missing_column_is_named_in_one_line(make_frames, name):
    frames = make_frames(prompts={"mug": "a mug"}, views=1)
    for column in getattr(frames, name).columns:
        with pytest.raises(ReportError, match=rf"^{name}: column '{column}' \(.+\) is missing$") as error:
            dataclasses.replace(frames, **{name: getattr(frames, name).drop(columns=column)})
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "column", "value", "message"),
    [
        ("cells", "status", "exploded", "cells.status: 'exploded' is not one of completed, nan"),
        (
            "scores",
            "metric",
            "beauty",
            "scores: {'cell': 'sds-red-car-0', 'view': 0, 'metric': 'beauty'} occurs twice",
        ),
        ("cells", "cell", "one", "cells: {'cell': 'one'} occurs twice"),
        ("metric_columns", "metric", [f"m{i}" for i in range(7)], "scores.metric: 'clip_score' is not one of m0, m1"),
        ("metric_columns", "metric", "psnr", "metric_columns: {'metric': 'psnr'} occurs twice"),
    ],
)
def test_contradictory_frames_are_refused(make_frames, name, column, value, message):
    frames = make_frames(views=1)
    with pytest.raises(ReportError, match=message):
        dataclasses.replace(frames, **{name: getattr(frames, name).assign(**{column: value})})


def test_no_cells_are_refused(make_frames):
    frames = make_frames(views=1)
    with pytest.raises(ReportError, match="nothing to report"):
        dataclasses.replace(frames, cells=frames.cells.iloc[:0])


def test_methods_and_prompts_keep_the_order_of_the_study(make_frames):
    frames = make_frames(methods=("sdi", "ism", "sds"), views=1)
    assert frames.methods == ["sdi", "ism", "sds"]
    assert list(frames.prompts) == ["red-car", "blue-duck", "mug"]


@given(
    rows=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(-3, 3), st.sampled_from([None, "x", "y"])), max_size=12
    ),
    as_categories=st.booleans(),
    far=st.sampled_from([1, 2**40]),
)
def test_duplicate_rows_are_those_of_pandas(rows, as_categories, far):
    frame = pd.DataFrame(rows, columns=["cell", "view", "metric"]).astype({"view": int})
    frame["view"] *= far
    expected = bool(frame.duplicated().any())
    if as_categories:
        frame = frame.astype({"cell": "category", "metric": "category"})
    assert _has_twice(frame, ["cell", "view", "metric"]) == expected


@pytest.mark.parametrize("name", ["seconds", "value", "title"])
def test_a_metric_with_the_name_of_a_column_is_refused(make_frames, name):
    frames = make_frames(views=1)
    parts = {part: getattr(frames, part).replace({"metric": {"psnr": name}}) for part in ("scores", "metric_columns")}
    with pytest.raises(ReportError, match=f"metric_columns.metric: '{name}' is a name of the report's own columns"):
        dataclasses.replace(frames, **parts)


def test_an_enumeration_has_one_and():
    assert [listed("abc"[:count], "and") for count in range(1, 4)] == ["a", "a and b", "a, b and c"]

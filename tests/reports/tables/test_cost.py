import dataclasses

import numpy as np
import pytest
from scipy import stats

from reports.tables import Measured
from reports.tables.cost import cost_table

MANY = {f"p{index}": f"object {index}" for index in range(30)}


def entries(table, label):
    row = next(row for row in table.rows if row.label == label)
    return dict(zip([column.key for column in table.columns], row.entries, strict=True))


def with_cells(frames, **columns):
    return dataclasses.replace(frames, cells=frames.cells.assign(**columns))


def test_ratios_are_geometric_means_over_the_pairs(make_frames):
    frames = make_frames(prompts=MANY, views=1, statuses={("sdi", "p3"): "nan"})
    seconds = frames.cells["optimise_seconds"].where(
        frames.cells["method"] == "sds", frames.cells["optimise_seconds"] * 3
    )
    frames = with_cells(frames, optimise_seconds=seconds)
    got = entries(cost_table(Measured(frames, "sds"), []), "sdi")["time_ratio"]
    wide = frames.cells.pivot_table("optimise_seconds", "prompt_id", "method").drop("p3")
    ratios = wide["sdi"] / wide["sds"]
    assert (got.mean, got.n) == (pytest.approx(stats.gmean(ratios)), 29)
    assert got.low < got.mean < got.high
    normal = np.exp(stats.t.interval(0.95, 28, np.log(ratios).mean(), stats.sem(np.log(ratios))))
    assert (got.low, got.high) == pytest.approx(normal, rel=0.05)
    assert len(got.cells) == 58


def test_the_baseline_is_one_and_a_constant_ratio_has_no_interval(make_frames):
    frames = make_frames(prompts=MANY, views=1)
    frames = with_cells(frames, unet_rows=np.where(frames.cells["method"] == "sds", 400, 1200))
    table = cost_table(Measured(frames, "sds"), [])
    assert entries(table, "sds")["time_ratio"].mean == 1.0
    got = entries(table, "sdi")["unet_rows_ratio"]
    assert (got.mean, got.low, got.why) == (pytest.approx(3.0), None, "all values are the same")


def test_memory_has_mean_and_maximum_and_hours_are_of_all_cells(make_frames):
    frames = make_frames(statuses={("sdi", "mug"): "crashed"})
    frames = with_cells(frames, peak_bytes=[1e9, 2e9, 3e9, 4e9, 9e9, 9e9], seconds=3600.0)
    got = entries(cost_table(Measured(frames, "sds"), []), "sdi")  # cells: sds and sdi of each prompt in turn
    assert (got["peak_mean"].mean, got["peak_max"].mean, got["total"].mean) == (3.0, 4.0, 3.0)
    assert "reserved_mean" not in got
    got = entries(cost_table(Measured(with_cells(frames, reserved_bytes=5e9), "sds"), []), "sdi")
    assert (got["reserved_mean"].mean, got["reserved_max"].mean) == (5.0, 5.0)


def test_a_method_without_a_completed_cell_has_no_cost(make_frames):
    frames = make_frames(statuses={("sdi", prompt): "crashed" for prompt in ("red-car", "blue-duck", "mug")})
    got = entries(cost_table(Measured(frames, "sds"), []), "sdi")
    assert (got["time_ratio"].mean, got["peak_max"].mean, got["unet_calls"].mean) == (None, None, None)


def test_costs_of_other_machines_are_not_compared(make_frames):
    frames = make_frames(prompts=MANY, views=1)
    ours = frames.cells["method"] == "sdi"
    moved = with_cells(frames, device=np.where(ours, "an H100", "a CPU"), peak_kind=np.where(ours, "cuda", "rss"))
    got = entries(cost_table(Measured(moved, "sds"), []), "sdi")
    assert (got["time_ratio"].mean, got["time_ratio"].why) == (None, "the cells differ in device")
    assert (got["memory_ratio"].mean, got["memory_ratio"].why) == (None, "the cells differ in the kind of memory")
    assert got["unet_rows_ratio"].mean is not None
    some = with_cells(frames, device=np.where(ours & (frames.cells["prompt_id"] == "p3"), "an H100", "a CPU"))
    got = entries(cost_table(Measured(some, "sds"), []), "sdi")["time_ratio"]
    assert (got.n, len(got.cells)) == (29, 58)


def test_an_arm_of_unknown_cost_has_no_hours(make_frames):
    frames = make_frames()
    hours = frames.cells["seconds"].where(frames.cells["method"] != "sdi")
    table = cost_table(Measured(with_cells(frames, seconds=hours), "sds"), [])
    assert entries(table, "sdi")["total"].mean is None
    assert entries(table, "sds")["total"].mean > 0

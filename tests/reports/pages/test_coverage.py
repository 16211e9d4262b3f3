import dataclasses
import itertools

import pytest

from reports.pages.coverage import coverage


def test_shares_are_counts_by_status_and_fill_the_bar(make_frames):
    frames = make_frames(statuses={("sds", "mug"): "empty", ("sds", "red-car"): "oom"}, views=1)
    frames = dataclasses.replace(frames, cells=frames.cells[frames.cells["cell"] != "sdi-mug-0"])
    found = dict(coverage(frames))
    counts = {method: [(share.status, share.count, share.kind) for share in shares] for method, shares in found.items()}
    assert counts == {
        "sds": [("completed", 1, "completed"), ("empty", 1, "diverged"), ("oom", 1, "failed")],
        "sdi": [("completed", 2, "completed"), ("not run", 1, "missing")],
    }
    for shares in found.values():
        assert shares[0].start == 0
        for one, after in itertools.pairwise(shares):
            assert after.start == pytest.approx(one.start + one.width)
        assert shares[-1].start + shares[-1].width == pytest.approx(1)


def test_prompts_without_renders_of_an_imported_arm_are_no_cells_that_were_not_run(make_frames, as_imported):
    frames = as_imported(make_frames(seeds=(0, 1), views=1, images=False), "sdi", ["mug"])
    shares = dict(coverage(frames))["sdi"]
    assert [(share.status, share.count, share.kind) for share in shares] == [
        ("completed", 2, "completed"),
        ("without renders", 2, "missing"),
    ]

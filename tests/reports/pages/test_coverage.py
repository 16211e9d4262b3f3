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

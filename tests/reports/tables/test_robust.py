import numpy as np
import pytest

from reports.tables import Measured
from reports.tables.robust import robust_table


def test_the_middle_half_of_the_prompts_is_averaged(make_frames):
    frames = make_frames(prompts={f"p{index}": "x" for index in range(9)}, views=1)
    scores = frames.scores
    own = (scores["method"] == "sdi") & (scores["metric"] == "clip_score")
    scores.loc[own, "value"] = [1000.0, 1, 2, 3, 4, 5, 6, 7, -1000]
    row = robust_table(Measured(frames, "sds"), []).rows[1]
    got = row.entries[0]
    assert (row.label, got.mean, got.n, got.sd) == ("sdi", pytest.approx(np.mean([2, 3, 4, 5, 6])), 9, None)
    assert got.low < 4 < got.high

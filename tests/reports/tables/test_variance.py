import numpy as np
import pytest

from reports.tables import Measured
from reports.tables.variance import variance_table


def entries(table, label):
    row = next(row for row in table.rows if row.label == label)
    return dict(zip([column.key for column in table.columns], row.entries, strict=True))


def test_known_spreads_are_estimated_pooled_over_methods(make_frames):
    prompts = {f"p{index}": "x" for index in range(40)}
    frames = make_frames(prompts=prompts, seeds=(0, 1, 2), views=4, side=1)
    scores, rng = frames.scores, np.random.default_rng(0)
    own = scores["metric"] == "psnr"
    for keys, sd in ((["prompt_id"], 3.0), (["prompt_id", "method", "seed"], 2.0), (["cell", "view"], 1.0)):
        group = scores[own].groupby(keys).ngroup()
        drawn = rng.normal(0, sd, group.max() + 1)[group]
        scores.loc[own, "value"] = drawn + (0 if sd == 3.0 else scores.loc[own, "value"])
    table = variance_table(Measured(frames, "sds"), [])
    assert not any("Not separated" in sentence for sentence in table.caption)
    got = entries(table, "PSNR [dB]")
    assert got["prompt"].mean == pytest.approx(3.0, rel=0.3)
    assert got["seed"].mean == pytest.approx(2.0, rel=0.15)
    assert got["view"].mean == pytest.approx(1.0, rel=0.1)


def test_components_that_are_not_separated_are_named(make_frames):
    table = variance_table(Measured(make_frames(views=1), "sds"), ["Toy scorers."])
    got = entries(table, "CLIP")
    assert (got["seed"].mean, got["view"].mean) == (None, None)
    assert "one seed per prompt" in table.caption[-2]
    assert "one view per asset" in table.caption[-2]
    assert table.caption[-1] == "Toy scorers."


def test_an_estimate_that_is_not_above_zero_is_not_a_spread(make_frames):
    frames = make_frames(seeds=(0, 1), views=2)
    scores = frames.scores
    scores["value"] = np.where(scores["seed"] == 0, 1.0, -1.0)  # prompts agree to the last bit: only seeds differ
    got = entries(variance_table(Measured(frames, "sds"), []), "CLIP")
    assert (got["prompt"].mean, got["prompt"].text) == (None, "not above 0")

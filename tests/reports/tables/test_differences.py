import statistics

import pytest

from reports.differences import differences_table


def test_differences_are_paired_by_prompt_and_seed(make_frames):
    frames = make_frames(methods=("sds", "sdi", "ism"), seeds=(0, 1), statuses={("sds", "mug"): "nan"})
    table = differences_table(frames, [], baseline="sds")
    assert [row.label for row in table.rows] == ["sdi", "ism"]
    for row in table.rows:
        for column, got in zip(table.columns, row.entries, strict=True):
            scale = float(frames.metric_columns.set_index("metric").loc[column.key, "scale"])
            asset = (
                frames.scores[frames.scores["metric"] == column.key]
                .groupby(["method", "prompt_id", "seed"])["value"]
                .mean()
            )
            expected = [
                statistics.fmean(scale * (asset[row.label, p, s] - asset["sds", p, s]) for s in (0, 1))
                for p in ("red-car", "blue-duck")  # the baseline has no mug
            ]
            assert (got.mean, got.n) == (pytest.approx(statistics.fmean(expected)), 2)
            sign = -1 if column.key == "janus" else 1  # lower is better
            assert got.text == "/".join(
                str(n)
                for n in (sum(sign * d > 0 for d in expected), expected.count(0), sum(sign * d < 0 for d in expected))
            )


def test_a_method_is_level_with_its_twin(make_frames):
    frames = make_frames(methods=("sds", "twin"))
    scores = frames.scores
    twin = scores["method"] == "twin"
    scores.loc[twin, "value"] = scores.loc[scores["method"] == "sds", "value"].to_numpy()
    (row,) = differences_table(frames, [], baseline="sds").rows
    assert all((got.mean, got.text) == (0.0, "0/3/0") for got in row.entries)


def test_without_pairs_there_is_no_difference(make_frames):
    statuses = {("sds", prompt): "empty" for prompt in ("red-car", "blue-duck", "mug")}
    (row,) = differences_table(make_frames(statuses=statuses), [], baseline="sds").rows
    assert all((got.mean, got.sd, got.n, got.text) == (None, None, 0, "") for got in row.entries)

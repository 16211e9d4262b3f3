import dataclasses

import pytest

from reports.statistics import holm
from reports.text.differences_table import differences_table
from reports.text.study_numbers import StudyNumbers
from reports.text.words import TextError


def parts(text):
    """The headings, the entries by row and score, and the paragraph below the table."""
    table, legend = text.split("\n\n")
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    heads = lines[0]
    return heads, {cells[0]: dict(zip(heads[1:], cells[1:], strict=True)) for cells in lines[2:]}, legend


def changed(numbers, change):
    """The same study with other CLIP scores of ``sdi``: those of ``sds`` and ``change`` by prompt."""
    frames = numbers.data.frames
    scores = frames.scores.copy()
    of_sds = scores[scores["method"] == "sds"].set_index(["prompt_id", "view", "metric"])["value"]
    for row in scores[(scores["method"] == "sdi") & (scores["metric"] == "clip_score")].itertuples():
        more = change.get(row.prompt_id, 0.0)
        scores.loc[row.Index, "value"] = of_sds[row.prompt_id, row.view, row.metric] + more
    return StudyNumbers(dataclasses.replace(numbers.data, frames=dataclasses.replace(frames, scores=scores)))


def prompts(*values):
    return {f"p{index}": value for index, value in enumerate(values)}


def test_each_pair_has_all_scores(numbers):
    heads, entries, _ = parts(
        differences_table(numbers, "clip_score:1 sharpness", {"a": "csd sds", "b": "sdi sds"}, stub="x")
    )
    assert heads == ["x", "CLIP ↑", "sharpness, octaves off ↓"]
    assert list(entries) == ["a", "b"]
    clip, sharp = (numbers.difference(score, "csd", "sds") for score in ("clip_score:1", "sharpness"))
    assert entries["a"]["CLIP ↑"].startswith(clip.signed)
    assert entries["a"]["sharpness, octaves off ↓"].startswith(sharp.signed)
    assert entries["a"]["CLIP ↑"].endswith(" (7)")


def test_marks_are_of_the_test_alone_and_doubled_after_the_whole_tables_correction(numbers):
    all_higher = changed(numbers, prompts(1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.3, 0.7))
    table = {"up": "sdi sds", "down": "sds sdi"}
    _, entries, legend = parts(differences_table(all_higher, "clip_score", table))
    assert entries["up"]["CLIP ↑"].endswith("]⁺⁺")
    assert entries["down"]["CLIP ↑"].endswith("]⁻⁻")
    assert legend.endswith("2 of 2 have a mark; at most about 0 would if nothing differed.")
    many = {f"{name}{index}": pair for name, pair in table.items() for index in range(4)}
    _, entries, legend = parts(differences_table(all_higher, "clip_score", many))
    assert max(holm([2 / 2**8] * 8)) > 0.05
    assert entries["up0"]["CLIP ↑"].endswith("]⁺")
    assert legend.endswith(
        "8 of 8 have a mark; at most about 0 would if nothing differed. After Holm's correction none has p ≤ 0.05."
    )


def test_a_score_with_a_target_is_better_where_it_is_nearer(numbers):
    frames = numbers.data.frames
    columns = frames.metric_columns.set_index("metric")
    columns.loc["clip_score", ["direction", "target", "mean"]] = ["target", 1000.0, "arithmetic"]
    near = dataclasses.replace(frames, metric_columns=columns.reset_index())
    higher = changed(
        StudyNumbers(dataclasses.replace(numbers.data, frames=near)), prompts(1.0, 1.2, 0.8, 1.1, 0.9, 1.0, 1.3, 0.7)
    )
    _, entries, _ = parts(differences_table(higher, "clip_score", {"a": "sdi sds"}))
    assert entries["a"]["CLIP, off ↓"].startswith("−1.00")
    assert entries["a"]["CLIP, off ↓"].endswith("]⁺⁺")


def test_a_mark_that_one_prompt_decides_is_named(numbers):
    """Seven agree and one does not: p is 4 / 2⁸, and without one of the seven that agree 4 / 2⁷ at least."""
    most = changed(numbers, prompts(5.0, 4.0, 4.5, 5.5, 4.2, 4.8, 5.1, -0.1))
    _, entries, _ = parts(differences_table(most, "clip_score", {"a": "sdi sds"}))
    assert not most.decided_by("clip_score", "sdi", "sds")
    assert entries["a"]["CLIP ↑"].endswith("]⁺⁺")
    few = changed(numbers, prompts(5.0, 4.0, 4.5, 5.5, 4.2, 4.8))  # six that differ, and p 2 / 2⁶
    _, entries, _ = parts(differences_table(few, "clip_score", {"a": "sdi sds"}))
    assert few.decided_by("clip_score", "sdi", "sds") == [f"p{index}" for index in range(6)]
    assert entries["a"]["CLIP ↑"].endswith("]⁺⁺°")


def test_what_cannot_have_a_mark_is_named_and_not_counted(numbers):
    """Five prompts that differ have p ≥ 2 / 2⁵."""
    tied = changed(numbers, prompts(5.0, 4.0, 4.5, 5.5, 4.2))
    _, entries, legend = parts(differences_table(tied, "clip_score", {"a": "sdi sds", "b": "csd sds"}))
    assert entries["a"]["CLIP ↑"].endswith("]†")
    assert "1 of 1 have a mark" in legend


def test_what_cannot_have_a_mark_does_not_count_in_the_correction(numbers):
    """Seven prompts of ``csd`` agree, so p is 2 / 2⁷; four times that would be above 0.05."""
    tied = changed(numbers, prompts(5.0, 4.0, 4.5, 5.5, 4.2))
    rows = {"a": "csd sds", **{f"b{index}": "sdi sds" for index in range(3)}}
    _, entries, legend = parts(differences_table(tied, "clip_score", rows))
    assert max(holm([2 / 2**7] * 4)) > 0.05
    assert entries["a"]["CLIP ↑"].endswith("]⁺⁺ (7)")
    assert "1 of 1 have a mark" in legend


def test_a_row_that_is_no_pair_is_refused(numbers):
    with pytest.raises(TextError, match="'sdi' is not a pair of arms"):
        differences_table(numbers, "clip_score", {"a": "sdi"})

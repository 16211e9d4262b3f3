import dataclasses

import pytest

from reports.render.printed import number
from reports.text.study_numbers import StudyNumbers
from reports.text.text_tables import arms_table, claims_table, full_table, grouped_table
from reports.text.words import TextError


def rows(table):
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert len({len(cells) for cells in lines}) == 1
    return lines[0], [cells[0] for cells in lines[2:]], [cells[1:] for cells in lines[2:]]


def printed(numbers, score, *arms):
    return [number(numbers.value(score, arm), numbers.column(score).decimals) for arm in arms]


def test_means_costs_and_controls(numbers):
    heads, labels, values = rows(arms_table(numbers, "clip_score:1 quality", costs="unet_rows steps", controls="noise"))
    assert heads == ["method", "CLIP ↑", "quality % ↑", "UNet rows 10³", "steps"]
    assert labels == ["sds", "sdi", "csd", "*pixel noise*"]
    assert values[0] == [*printed(numbers, "clip_score:1", "sds"), *printed(numbers, "quality", "sds"), "0.4", "50"]
    control = [number(numbers.control_value(score, "noise"), 1) for score in ("clip_score", "quality")]
    assert values[3] == [*control, "—", "—"]


def test_some_arms_with_labels_of_their_own(numbers):
    table = arms_table(numbers, "quality", arms="csd sds", labels={"csd": "Cx", "sds": "Sy"}, stub="a|b")
    heads, labels, values = rows(table)
    assert (heads[:2], labels) == (["a", "b"], ["C", "S"])
    assert [cells[0] for cells in values] == ["x", "y"]


def test_arms_of_a_group_share_a_cell(numbers):
    groups = {"one": "sds csd", "two": "sdi -"}
    heads, labels, values = rows(grouped_table(numbers, "quality psnr", groups, heads="a, b"))
    assert heads == ["method", "quality % ↑: a, b", "PSNR dB ↑"]
    assert labels == ["one", "two"]
    assert values[0] == [", ".join(printed(numbers, score, "sds", "csd")) for score in ("quality", "psnr")]
    assert values[1][0].endswith(", —")


def test_claims(numbers):
    _, papers, values = rows(claims_table(numbers))
    assert papers == ["CSD", "SDI"]
    assert values[0][:3] == ["higher", "**yes**", "CLIP ↑"]
    assert values[0][4].startswith("+2.30 [+")
    assert values[0][5] == "0.016"
    assert values[1][1] == "no difference seen"


def test_a_study_without_claims_has_no_such_table(numbers):
    with pytest.raises(TextError, match="tests no claims"):
        claims_table(StudyNumbers(dataclasses.replace(numbers.data, claims=())))


def test_the_whole_table_is_the_reports(numbers):
    assert full_table(numbers).startswith("**Results**\n")
    assert "| sdi |" in full_table(numbers)


def test_further_columns(numbers):
    more = {"time": {"both": "1.0", "alone": "2.0"}}
    groups = {"both": "sds csd", "alone": "csd sdi"}
    heads, _, values = rows(grouped_table(numbers, "clip_score", groups, heads="a, b", more=more))
    assert heads[-1] == "time"
    assert [cells[-1] for cells in values] == ["1.0", "2.0"]


def test_the_scores_of_each_prompt(numbers):
    _, labels, values = rows(arms_table(numbers, "clip_score:1", arms="sds csd", by_prompt=True))
    assert labels == ["sds", "csd"]
    assert values[0][0] == ", ".join(f"{numbers.prompt('clip_score', 'sds', f'p{index}'):.1f}" for index in range(8))
    assert values[1][0].endswith(", —")


def test_what_all_prompts_agree_on_is_marked(numbers):
    some = numbers.without("p7")
    table = arms_table(some, "clip_score quality", by_prompt=True, against={"csd": "sds"}, costs="steps")
    heads, labels, values = rows(table)
    assert heads == ["method", "against", "CLIP ↑", "quality % ↑", "steps"]
    found = dict(zip(labels, values, strict=True))
    assert found["sds"][0] == found["sdi"][0] == "—"
    assert found["csd"][0] == "sds"
    assert found["csd"][1] == some.each("clip_score", "csd").replace(" and ", ", ") + "⁺"
    assert not found["csd"][2].endswith(("⁺", "⁻"))
    with pytest.raises(TextError, match="with by_prompt only"):
        arms_table(numbers, "quality", against={"csd": "sds"})
    with pytest.raises(TextError, match="controls are not there with by_prompt"):
        arms_table(numbers, "quality", by_prompt=True, controls="noise")

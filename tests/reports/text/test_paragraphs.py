import pytest

from reports.text.paragraphs import WIDTH, refill

LONG = "word " * 60


def test_paragraphs_are_filled():
    lines = refill(LONG).splitlines()
    assert [len(line) <= WIDTH for line in lines] == [True] * 3
    assert " ".join(lines).split() == LONG.split()


def test_the_lines_of_an_item_are_indented():
    lines = refill(f"- {LONG}\n- short\n").splitlines()
    assert lines[0].startswith("- word")
    assert lines[1].startswith("  word")
    assert lines[-1] == "- short"


@pytest.mark.parametrize(
    "block", ["# a\n## b", "| a |\n| - |\n| b |", "![x](y.png)", "```\na\n b\n```", "<!-- a\nb -->"]
)
def test_other_blocks_stay(block):
    assert refill(block) == f"{block}\n"


def test_blocks_are_one_empty_line_apart():
    assert refill("a\n\n\n  \nb\n") == "a\n\nb\n"

"""Prompt lists from the file to the pages: any text, any line ends."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prompts import load_prompt_set
from reports.means import asset_means
from reports.pages.cell_rows import prompt_rows
from reports.pages.prompt import prompt_page

SPECIAL = st.sampled_from("aB<>&\"' \u2028\u2029\x85\v\f猫")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | SPECIAL, max_size=60).filter(
    lambda text: not any(line.lstrip().startswith("#") for line in text.split("\n"))  # a list has no comments
)
KEYS = ["method", "prompt_id", "seed"]


class Heading(HTMLParser):
    """Collect the text of the first heading."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words, self._inside = "", False
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self._inside = tag == "h1" and not self.words

    def handle_endtag(self, tag) -> None:
        self._inside = False

    def handle_data(self, data) -> None:
        self.words += data if self._inside else ""


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TEXTS, min_size=1, max_size=4), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff"]))
def test_each_prompt_of_a_list_has_a_page_with_its_text(
    make_frames, tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str, mark: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "mine.txt"
    path.write_bytes((mark + end.join(["a duck", *lines])).encode())
    prompts = {prompt.id: prompt.text for prompt in load_prompt_set(str(path)).prompts}
    assert next(iter(prompts.items())) == ("a-duck", "a duck")
    frames = make_frames(methods=("sds",), prompts=prompts, views=1, images=False)
    rows = prompt_rows(frames, {})
    assert [row.text for row in rows] == list(prompts.values())
    assert len({row.page.lower() for row in rows}) == len(prompts)
    means = asset_means(frames).merge(frames.cells[["cell", *KEYS]], on=KEYS)
    for place, row in enumerate(rows):
        page = prompt_page(frames, rows, place, means[means.prompt_id == row.prompt_id], None, title="t")
        assert Heading(page).words.split() == row.text.split()

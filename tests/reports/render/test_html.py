"""The interactive table of the page: its sorting, its details on demand, and its static form."""

import re

from reports.render import html
from reports.table import Entry, Row, Table, TableColumn

TABLE = Table(
    name="t",
    title="T",
    caption=("One.",),
    stub="Method",
    columns=(
        TableColumn("clip", "CLIP", direction="up"),
        TableColumn("time", "time", "s", "down", decimals=1, signed=True),
    ),
    rows=(
        Row("sds", (Entry(29.814, 2.49, 43, low=29.1, high=30.5, group=0, cells=("x", "y")), Entry(-0.01, n=1))),
        Row("sdi", (Entry(28.0, why="<one> prompt", group=27), Entry(note="oom", cells=("gone",)))),
    ),
)


def live(places=lambda cells: "0-1" if cells == ("x", "y") else ""):
    return html.live(TABLE, places)


def cells(text):
    return re.findall(r"<td.*?</td>", text, re.DOTALL)


def test_columns_are_sorted_by_full_values_better_ones_first():
    text = live()
    assert re.findall(r'data-first="(\w+)"', text) == ["ascending", "descending", "ascending"]
    assert text.count('aria-sort="none"') == 3
    values = [re.findall(r'data-value="([^"]+)"', cell) for cell in cells(text)]
    assert values == [["29.814"], ["-0.01"], ["28"], []]


def test_only_numbers_with_details_are_buttons():
    asked, plain, why, nothing = cells(live())
    assert "<button" in asked
    assert 'data-cells="0-1"' in asked
    assert "95 % interval [29.10, 30.50]" in asked
    assert "<button" not in plain + nothing
    assert "&lt;one&gt; prompt" in why
    assert "data-cells" not in why


def test_rank_groups_are_letters_too():
    first, _, last, _ = cells(live())
    assert 'class="group-0"' in first
    assert "</span>a</sup>" in first
    assert 'class="group-5"' in last  # the last colour serves all further groups
    assert "</span>ab</sup>" in last


def test_the_fragment_for_other_pages_has_the_interval_in_the_open_and_no_controls():
    text = html.render(TABLE)
    assert not re.search(r"<button|data-|aria-sort|unseen\">95", text)
    first, _, last, _ = cells(text)
    assert '<span class="interval">[29.10, 30.50]</span>' in first
    assert 'title="&lt;one&gt; prompt"' in last


def test_on_the_page_a_number_of_prompts_is_seen_where_some_are_missing():
    whole, fewer, *_ = cells(live())
    assert '<span class="n unseen">(43)</span>' in whole  # for those who hear the page
    assert '<span class="n">(1)</span>' in fewer
    assert '<span class="n">(43)</span>' in html.render(TABLE)

from __future__ import annotations

import csv
import io
import json
import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts import Prompt, PromptSet, PromptSetError, load_prompt_set
from prompts.prompt_ids import free_id, slug
from prompts.prompt_list import LISTS, read_prompt_list

#: What str.splitlines takes for the end of a line, and a text editor does not.
NO_LINE_ENDS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029\r"
ANY = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(f"aAbC+ é猫狗{NO_LINE_ENDS}"), max_size=70)
TEXTS = ANY.map(lambda text: text.replace("\n", " ").rstrip("\r")).filter(
    lambda text: not text.replace("\ufeff", "").lstrip().startswith("#")  # which is refused
)
LINES = st.lists(TEXTS, max_size=8)


def load(folder: Path, name: str, content: bytes | str) -> PromptSet:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_prompt_set(str(path))


def texts(prompts: PromptSet) -> list[str]:
    return [prompt.text for prompt in prompts.prompts]


def folded(text: str) -> str:
    return " ".join(text.lower().split())


@settings(max_examples=300)
@given(LINES, st.lists(st.sampled_from(["\n", "\r\n"]), min_size=8, max_size=8))
def test_each_line_is_a_prompt_with_an_id_of_its_own_whatever_it_holds(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], ends: list[str]
) -> None:
    content = "".join(line + end for line, end in zip(lines, ends, strict=False)).removeprefix("\ufeff")
    expected = [line.strip() for line in content.split("\n") if line.strip()]
    folder = tmp_path_factory.getbasetemp()
    if not expected:
        with pytest.raises(PromptSetError, match="has no prompts"):
            load(folder, "any.txt", content)
        return
    found = load(folder, "any.txt", content).prompts
    assert load(folder, "any.txt", "\ufeff" + content).prompts == found  # the first bytes do not matter
    ids, kept = [prompt.id for prompt in found], [prompt.text for prompt in found]
    assert len(set(ids)) == len(ids)
    assert kept == sorted(kept, key=expected.index)  # in the order of the file
    assert {folded(text) for text in kept} == {folded(text) for text in expected}  # only repetitions are left out
    if len({slug(text) for text in expected}) == len(expected):  # as before ids were made distinct
        assert [(prompt.id, prompt.text) for prompt in found] == [(slug(text), text) for text in expected]


@given(LINES)
def test_the_formats_hold_the_same_prompts(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    lines = [line.strip().removeprefix("\ufeff").strip() for line in lines]
    if not any(lines):
        return
    folder = tmp_path_factory.getbasetemp()
    table = io.StringIO()
    csv.writer(table).writerows([["number", "Prompt"], *([number, line] for number, line in enumerate(lines))])
    expected = load(folder, "same.txt", "\n".join(lines)).prompts
    for name, content in (
        ("same.csv", table.getvalue()),
        ("same.json", json.dumps(lines)),
        ("same.JSON", json.dumps([{"number": 1, "prompt": line} for line in lines], ensure_ascii=False)),
        ("same.Json", "\ufeff" + json.dumps({"version": 3, "prompts": lines})),
        ("library.json", json.dumps({"dreamfusion": lines})),
    ):
        assert load(folder, name, content).prompts == expected


def test_a_byte_order_mark_is_no_part_of_a_set_in_toml(tmp_path: Path) -> None:
    content = 'version = 1\nsource = "s"\nlicence = "MIT"\nprompts = [{ id = "a", text = "x" }]'
    assert load(tmp_path, "a.toml", "\ufeff" + content).prompts == (Prompt(id="a", text="x"),)
    assert load(tmp_path, "A.TOML", content).prompts == (Prompt(id="a", text="x"),)


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        ("a cat 猫\na cat 狗\n", ["a-cat", "a-cat-edbc11"]),
        ("C++ robot\nC robot\nC# robot", ["c-robot", "c-robot-93a8dc", "c-robot-d5cc55"]),
        ("a cat 猫\na cat edbc11\na cat 狗", ["a-cat", "a-cat-edbc11", "a-cat-edbc11a"]),
    ],
)
def test_prompts_of_the_same_words_have_their_own_ids(tmp_path: Path, content: str, ids: list[str]) -> None:
    found = load(tmp_path, "a.txt", content)
    assert [prompt.id for prompt in found.prompts] == ids
    assert len(found.prompts) == len(content.splitlines())


def test_an_id_that_is_taken_is_given_to_nobody_else() -> None:
    text = "a cat 狗"
    taken = {slug(text): "other"}
    for _ in range(6):
        found = free_id(text, taken)
        assert found is not None
        assert found not in taken
        assert len(found) <= 60
        taken[found] = "other"
    with pytest.raises(ValueError, match="every id that could be made for it is taken"):
        free_id(text, taken)


def test_repeated_prompts_are_kept_once_with_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = "a fantasy landscape\n\na duck\nA  fantasy landscape \na duck\na cat\n"
    with caplog.at_level(logging.WARNING, "sdibench"):
        for _ in range(3):  # as a command does
            assert texts(load(tmp_path, "d.txt", content)) == ["a fantasy landscape", "a duck", "a cat"]
    [record] = caplog.records
    assert record.getMessage() == (
        f"{tmp_path}/d.txt: prompts that are there more than once are kept once: line 4 repeats line 1, line 5 "
        "repeats line 3"
    )
    with caplog.at_level(logging.WARNING, "sdibench"):
        load(tmp_path, "many.json", json.dumps(["a duck"] * 9))
    assert caplog.records[-1].getMessage().endswith(": entry 2 repeats entry 1, " + ", ".join(
        f"entry {number} repeats entry 1" for number in range(3, 7)
    ) + " and 3 more")  # fmt: skip


def test_a_quoted_cell_may_hold_commas_and_line_ends(tmp_path: Path) -> None:
    found = load(tmp_path, "q.csv", 'n,Prompts\n1,"a hat, torn\nand blue"\n2,a mug\n3\n')
    assert texts(found) == ["a hat, torn\nand blue", "a mug"]


def test_ids_of_the_file_are_those_of_its_prompts(tmp_path: Path) -> None:
    """Also of two prompts of one text, as in TOML."""
    expected = [("duck-1", "a duck"), ("7", "# a duck"), ("duck-2", "a duck")]
    table = "prompt, ID\na duck,duck-1\n,\n# a duck, 7\na duck,duck-2\n"
    objects = [
        {"id": "duck-1", "prompt": "a duck"},
        {"id": 7, "prompt": "# a duck"},
        {"id": "duck-2", "text": "a duck"},
    ]
    for name, content in (("i.csv", table), ("i.json", json.dumps(objects))):
        assert [(prompt.id, prompt.text) for prompt in load(tmp_path, name, content).prompts] == expected


def test_columns_and_keys_that_are_not_read_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "sdibench"):
        load(tmp_path, "c.csv", "id,kind,prompt,caption,\na,x,a duck,y,\n")
        load(tmp_path, "d.csv", "id,prompt\na,a duck\n")
        load(
            tmp_path,
            "e.json",
            '{"seed": 3, "prompts": ["a", {"text": "b", "caption": "c", "kind": 1}, {"prompt": "d"}]}',
        )
        load(tmp_path, "f.json", '[{"id": "a", "prompt": "a duck"}]')
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/c.csv: columns that are not read: kind, caption",
        f"{tmp_path}/e.json: keys that are not read: seed, caption, kind",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "a duck\na mug\n", "the first row names no column prompt; it has a duck"),
        ("a.csv", "", "the first row names no column prompt; it has nothing"),
        ("a.csv", 'prompt\n"a duck\n', "line 2: is not CSV: unexpected end of data"),
        ("a.csv", "prompt\n\n", "has no prompts"),
        ("a.json", "{}", 'must be a list of prompts, such as ["a blue duck"], or have one as "prompts"'),
        ("a.json", '{"a": [], "b": []}', "must be a list of prompts"),
        ("a.json", '"a duck"', "must be a list of prompts"),
        ("a.json", "[]", "has no prompts"),
        ("a.json", "[1]", "entry 1: 1: must be a text, or an object with a text as prompt"),
        ("a.json", '["a", {"promt": "b"}]', "entry 2: {'promt': 'b'}: must be a text, or an object"),
        ("a.json", '["a", "\\ud800"]', "entry 2: '\\ud800': is not Unicode text (surrogates not allowed)"),
        ("a.json", "[" * 200_000, "is not JSON"),
        ("a.json", "a duck", "is not JSON: Expecting value"),
        (
            "a.csv",
            "id,prompt\na,a duck\nA b,a mug\n",
            "line 3: id = 'A b': must be small letters and digits, in words joined",
        ),
        ("a.csv", "id,prompt\na,a duck\n,a mug\n", "line 3: id = '': must be small letters and digits"),
        (
            "a.csv",
            f"id,prompt\n{'a' * 61},a duck\n",
            "aaa': must be small letters and digits, in words joined by -, of at most 60 ch",
        ),
        ("a.csv", "id,prompt\na,a duck\na,a mug\n", "line 3: id = 'a': is that of line 2; each prompt needs its own"),
        ("a.json", '[{"id": "a", "prompt": "x"}, "y"]', "entry 2: id = '': must be small letters and digits"),
        ("a.json", '[{"id": [1], "prompt": "x"}]', "entry 1: id = [1]: must be small letters and digits"),
        (
            "a.txt",
            "a duck\n # two\n",
            "line 2: '# two': begins with #, and a list has no comments; leave the line out, or",
        ),
        ("a.txt", b"\xff\xfea\0", "is not UTF-8"),
        ("a.yaml", "- a duck", "the name of a file with prompts must end in one of .toml, .txt, .csv, .json"),
        ("noending", "a duck", "the file is there, but the name of a file with prompts must end in one of"),
    ],
)
def test_a_list_that_cannot_be_read_gets_one_line(tmp_path: Path, name: str, content: bytes | str, message) -> None:
    with pytest.raises(PromptSetError) as caught:
        load(tmp_path, name, content)
    assert message in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_may_start_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.TXT").write_text("a duck\n")
    assert texts(load_prompt_set("~/mine.TXT")) == ["a duck"]
    with pytest.raises(PromptSetError, match=rf"unknown prompt set '~/no.txt': {tmp_path}/no.txt: there is no such"):
        load_prompt_set("~/no.txt")
    with pytest.raises(PromptSetError, match=r"unknown prompt set '~nobody-here/a\.txt'"):
        load_prompt_set("~nobody-here/a.txt")
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(PromptSetError, match="is a folder"):
        load_prompt_set("~/folder.txt")


def test_every_kind_of_list_refuses_to_be_empty() -> None:
    empty = {".txt": "\n \n", ".csv": "prompt\n", ".json": '{"prompts": []}'}
    for ending in LISTS:
        with pytest.raises(PromptSetError, match="here: has no prompts"):
            read_prompt_list(empty[ending], ending, "here")

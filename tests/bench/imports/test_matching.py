"""Objects are matched to prompts, and nothing is guessed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.errors import InputError
from bench.imports.asset import Asset
from bench.imports.matching import match, read_table
from prompts import load_prompt_set
from prompts.prompt_ids import slug
from prompts.prompt_set import Prompt

SDI = load_prompt_set("sdi43").prompts


def asset(*names: str, place: str = "", seed: int | None = None) -> Asset:
    return Asset(Path("renders") / (place or names[0].replace("/", "")), names, (), seed)


def prompts(*texts: str) -> list[Prompt]:
    return [Prompt(id=slug(text), text=text) for text in texts]


SLUGS = {
    "id": slug,
    "text": str,
    "threestudio": lambda text: text.replace(" ", "_"),
    "timestamp": lambda text: text.replace(" ", "_") + "@20240131-120000",
    "dashes": lambda text: text.lower().replace(" ", "-"),
    "case": str.upper,
    "no punctuation": lambda text: re.sub(r"[^\w ]", "", text).replace(" ", "_"),
    "punctuation is a separator": lambda text: re.sub(r"[\W_]+", "-", text),
    "no spaces": lambda text: text.replace(" ", ""),
}


@pytest.mark.parametrize("kind", SLUGS)
def test_every_slug_of_the_papers_prompts_is_matched(kind: str) -> None:
    assets = [asset(SLUGS[kind](prompt.text), place=prompt.id) for prompt in reversed(SDI)]
    found = match(assets, SDI)
    assert [prompt for prompt, _ in found.found] == list(SDI)
    assert all(one.place.name == prompt.id for prompt, one in found.found)
    assert not found.unmatched
    assert not found.missing


WORDS = st.lists(
    st.sampled_from(["a", "the", "duck's", "worn-out", "blue", "22", "café", "cat,", "Ω", "of"]), min_size=1, max_size=6
)


@settings(max_examples=150)
@example(texts=["a"], kinds=["case"] * 6, others=["A"])  # two objects of one prompt
@given(
    texts=st.lists(WORDS.map(" ".join), min_size=1, max_size=6, unique=True),
    kinds=st.lists(st.sampled_from(sorted(SLUGS)), min_size=6, max_size=6),
    others=st.lists(st.text(max_size=30), max_size=3),
)
def test_a_match_is_certain_and_nothing_is_lost(texts: list[str], kinds: list[str], others: list[str]) -> None:
    some = [Prompt(id=f"p{index}", text=text) for index, text in enumerate(texts)]
    assets = [asset(SLUGS[kind](text), place=f"p{i}") for i, (text, kind) in enumerate(zip(texts, kinds, strict=False))]
    assets += [asset(name, place=f"x{index}") for index, name in enumerate(others)]
    found = match(assets[::-1], some)
    compact = lambda text: "".join(c for c in SLUGS["no punctuation"](text).casefold() if c.isalnum())  # noqa: E731
    right = {f"p{index}": prompt for index, prompt in enumerate(some)}
    for prompt, one in found.found:
        if one.place.name in right and sum(compact(p.text) == compact(prompt.text) for p in some) == 1:
            assert right[one.place.name] == prompt
    places = [one.place for _, one in found.found] + [one.place for one in found.unmatched]
    assert sorted(places) == sorted(one.place for one in assets)
    matched = {prompt.id for prompt, _ in found.found}
    assert [prompt for prompt in some if prompt.id not in matched] == found.missing
    assert len(found.reasons) == len(found.unmatched)
    assert all("\n" not in reason and reason.isprintable() for reason in found.reasons)
    for prompt in some:
        own = [one.place for known, one in found.found if known == prompt]
        assert own == sorted(own)  # none has a seed, so by their places


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a_plate_piled_high_with", 0),  # cut off
        ("a_plate_piled", None),  # fewer than 20 characters
        ("a plate piled high wi@20240131-120000", 0),
        ("a_small_saguaro_cactus_planted", None),  # two prompts begin so
        ("plate_piled_high_with_chocolate", None),  # not the beginning
        ("a_plate_piled_high_with_chocolate_cake", None),
    ],
)
def test_names_that_are_cut(name: str, expected: int | None) -> None:
    some = prompts(
        "a plate piled high with chocolate chip cookies",
        "a small saguaro cactus planted in a clay pot",
        "a small saguaro cactus planted in a garden",
    )
    found = match([asset(name)], some)
    assert [prompt for prompt, _ in found.found] == ([] if expected is None else [some[expected]])
    if "saguaro" in name:
        assert "may be of 2 prompts: a-small" in found.reasons[0]


def test_what_is_ambiguous_is_left_out_with_the_reason() -> None:
    some = [
        Prompt(id="first", text="a cat nap"),
        Prompt(id="second", text="a catnap"),
        Prompt(id="third", text="a cat nap"),
    ]
    found = match([asset("a_cat_nap"), asset("a catnap"), asset("a dog\n\x1b[2J")], some)
    assert [(prompt.id, one.names[0]) for prompt, one in found.found] == [("second", "a catnap")]
    assert [one.names[0] for one in found.unmatched] == ["a_cat_nap", "a dog\n\x1b[2J"]
    assert "may be of 3 prompts: first, second, third; say which in a table" in found.reasons[0]
    assert "names no prompt of the set ('a dog\\\\n\\\\x1b[2J')" in found.reasons[1]
    assert [prompt.id for prompt in found.missing] == ["first", "third"]


def test_the_surest_name_decides() -> None:
    some = prompts("a duck", "a car")
    found = match([asset("a duck", "a_car"), asset("", "  ", "a_car", place="x")], some)
    assert [(prompt.text, one.names[0]) for prompt, one in found.found] == [("a duck", "a duck"), ("a car", "")]


def test_a_table_goes_first() -> None:
    some = prompts("a duck", "a car")
    table = {"a_duck": "a car", "12": "a-duck", "7": "a dog"}
    found = match([asset("a_duck"), asset("12"), asset("7")], some, table)
    assert [(prompt.text, one.names[0]) for prompt, one in found.found] == [("a duck", "12"), ("a car", "a_duck")]
    assert found.reasons == ["renders/7: its row of the table names no prompt of the set ('a dog')"]
    assert found.idle_rows == []
    given = {"12": "a duck", "8": "a car", "renders/a_car": "a car", "a_dog@20240131-120000": "a dog", "9": "a dog"}
    found = match([asset("12"), asset("a_car"), asset("a_dog@20240131-120000")], some, given)
    assert found.idle_rows == ["8", "9"]


@pytest.mark.parametrize(
    ("seeds", "right"),
    [([4, 6], ["try10", "try9"]), ([6, 4], ["try9", "try10"]), ([4, 4], ["try9", "try10"]),
     ([None, 3], ["try9", "try10"]), ([None, None], ["try9", "try10"]), ([9], ["try10"])],
)  # fmt: skip
def test_objects_of_one_prompt_are_in_order(seeds: list[int | None], right: list[str]) -> None:
    places = ["try10", "try9"]  # natural order: try9 is the first
    assets = [asset("a duck", place=place, seed=seed) for place, seed in zip(places, seeds, strict=False)]
    found = [one for _, one in match(assets, prompts("a duck")).found]
    assert [one.place.name for one in found] == right
    assert all(one in assets for one in found)  # with the seeds that they state, and no others


def test_a_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes('\ufeffPrompt,note,Folder\r\n"a duck, blue",x,12/\r\n,,\r\na car,,"7"\r\n'.encode())
    assert read_table(path) == {"12": "a duck, blue", "7": "a car"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "the first row must name the columns folder and prompt"),
        (b"folder,prompt\n", "has no rows"),
        (b"folder,prompt\n1\n", "line 2: needs a folder and a prompt"),
        (b"folder,prompt\n1,\n", "line 2: needs a folder and a prompt"),
        (b"folder,prompt\n1,a\n1,b\n", "line 3: folder '1' has two prompts"),
        (b'folder,prompt\n1,"a\n', "is not CSV"),
        (b"folder,prompt\n\xff,a\n", "is not UTF-8"),
        (b"", r"is empty \(0 bytes\)"),
        (b"\x00\x01\x02", "the first row must name|is not CSV"),
    ],
)
def test_a_broken_table_gets_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError, match="No such file"):
        read_table(tmp_path / "none.csv")

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts import Prompt, PromptSetError, load_prompt_set, prompt_set_names
from prompts.prompt_ids import slug
from prompts.toybox import is_held_out

HEAD = 'version = 1\nsource = "s"\nlicence = "MIT"\n'


@pytest.mark.parametrize("name", prompt_set_names())
def test_every_set_that_ships_loads(name) -> None:
    prompts = load_prompt_set(name)
    assert prompts.name == name
    assert len(prompts.sha256) == 64


def test_toybox_marks_what_was_held_out() -> None:
    prompts = load_prompt_set("toybox").prompts
    assert len(prompts) >= 12
    for prompt in prompts:
        assert prompt.truth is not None
        assert prompt.held_out == all(is_held_out(toy) for toy in prompt.truth.objects())
        for attribute in (prompt.truth.kind, prompt.truth.colour, prompt.truth.pattern):
            assert attribute is None or attribute in prompt.text
    assert sum(prompt.held_out for prompt in prompts) >= 3
    assert any(len(prompt.truth.objects()) > 1 for prompt in prompts)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD, "prompts: Field required"),
        (HEAD + 'prompts = [{ id = "A", text = "x" }]', r"prompts.0.id: must be small letters and .*found 'A'"),
        (HEAD + 'prompts = [{ id = "a", text = "" }]', r"prompts.0.text"),
        (HEAD + 'prompts = [{ id = "a", text = "x" }, { id = "a", text = "y" }]', "prompt id 'a' is there twice"),
        (HEAD + 'prompts = [{ id = "a", text = "x", truth = { kind = "cow" } }]', "'cow' is not in the toybox"),
        (HEAD + 'prompts = [{ id = "a", text = "x", colour = 1 }]', "prompts.0.colour: Extra inputs"),
        ("version = ", "not a prompt set in TOML"),
        ("\x00", "not a prompt set in TOML"),
        (f"version = 1{'0' * 5000}", "not a prompt set in TOML"),
    ],
)
def test_malformed_files_get_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "set.toml"
    path.write_text(content)
    with pytest.raises(PromptSetError, match=message) as caught:
        load_prompt_set(str(path))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_text_file_has_a_prompt_a_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(
        "A torn hat\n\n  Four ripe apples, in a basket \r\n一只猫\nA torn hat made of " + "very " * 20 + "old felt\n"
    )
    prompts = load_prompt_set(str(path))
    assert (prompts.name, prompts.version, prompts.source) == ("mine", 1, str(path))
    assert prompts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [prompt.text for prompt in prompts.prompts][:3] == ["A torn hat", "Four ripe apples, in a basket", "一只猫"]
    ids = [prompt.id for prompt in prompts.prompts]
    assert ids[:2] == ["a-torn-hat", "four-ripe-apples-in-a-basket"]
    assert ids[2] == hashlib.sha256("一只猫".encode()).hexdigest()[:6]
    assert len(ids[3]) <= 55
    assert prompts["a-torn-hat"].truth is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no prompts"),
        (b"caf\xe9\n", "is not UTF-8"),
    ],
)
def test_a_wrong_text_file_gets_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(PromptSetError, match=message) as caught:
        load_prompt_set(str(path))
    assert "\n" not in str(caught.value)
    with pytest.raises(PromptSetError, match=r"unknown prompt set 'none\.txt'"):
        load_prompt_set("none.txt")


@given(st.text(min_size=1), st.text(min_size=1))
def test_ids_are_slugs_that_tell_long_prompts_apart(start: str, end: str) -> None:
    Prompt(id=slug(start), text=start)
    long = start + " word" * 20
    assert (slug(long + end) == slug(long)) == (long + end == long)
    assert len(slug(long)) <= 55


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(PromptSetError, match="unknown prompt set 'toyboks': did you mean toybox"):
        load_prompt_set("toyboks")
    with pytest.raises(PromptSetError, match="unknown prompt of set 'toybox' 'green-mugs': did you mean green-mug"):
        load_prompt_set("toybox")["green-mugs"]


def test_the_papers_prompts_are_all_there_with_their_typing_errors() -> None:
    texts = [prompt.text for prompt in load_prompt_set("sdi43").prompts]
    assert len(texts) == len(set(texts)) == 43
    assert texts[0] == "A car made out of sushi"
    assert texts[7] == "A rabbit, animated movie character, high detail 3d mode"
    assert texts[30] == "A DSLR photo of a an old man"
    assert texts[32] == "DSLR photograph of a baby racoon holding a hamburger, 80mm"
    assert texts[42] == "A Viking panda with an axe"

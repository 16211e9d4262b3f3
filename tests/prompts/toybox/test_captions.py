from __future__ import annotations

import numpy as np
import pytest

from prompts.toybox import BAD_WORDS, GOOD_WORDS, VIEWS, ToyObject, all_objects, caption, is_held_out, with_article
from prompts.toybox.captions import WORDS


def test_captions_use_the_grammar_s_words_only_and_never_lie() -> None:
    rng = np.random.default_rng(0)
    toys = all_objects()
    for toy in toys:
        text = caption(toy, rng=rng, view=VIEWS[0], quality="blurry")
        words = text.replace(",", " ,").split()
        assert set(words) <= set(WORDS)
        assert toy.kind in words
        for other in toys[::17]:
            assert other.colour == toy.colour or other.colour not in words
            assert other.pattern == toy.pattern or other.pattern not in words
        assert text.endswith(", front view")


def test_attributes_are_left_out_at_times() -> None:
    rng = np.random.default_rng(0)
    texts = [caption(ToyObject("car", "red", "striped"), rng=rng) for _ in range(400)]
    assert 0.05 < np.mean(["red" not in text for text in texts]) < 0.15
    assert 0.14 < np.mean(["striped" not in text for text in texts]) < 0.27


@pytest.mark.parametrize(("words", "text"), [("red car", "a red car"), ("orange car", "an orange car")])
def test_articles(words, text) -> None:
    assert with_article(words) == text


def test_split_holds_out_about_one_in_eight_and_no_attribute_whole() -> None:
    toys = all_objects()
    held = [toy for toy in toys if is_held_out(toy)]
    assert 0.08 < len(held) / len(toys) < 0.17
    seen = [toy for toy in toys if not is_held_out(toy)]
    for field in ("kind", "colour", "pattern"):
        assert {getattr(toy, field) for toy in seen} == {getattr(toy, field) for toy in toys}


def test_quality_words_are_all_in_the_vocabulary() -> None:
    assert {*GOOD_WORDS, *(word for words in BAD_WORDS.values() for word in words)} <= set(WORDS)


def test_an_attribute_that_is_not_in_the_world_is_named() -> None:
    with pytest.raises(ValueError, match="colour: 'mauve' is not in the toybox"):
        ToyObject("car", "mauve", "plain")

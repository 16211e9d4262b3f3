from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from methods.cameras import VIEW_WORDS, evaluation_ring, with_view
from methods.contracts import LimitedText
from methods.diffusion.perp_neg import PerpNeg
from methods.priors import priors
from methods.priors.loading import folder_of, load_prior, prompt_reader
from methods.priors.pipeline.clip_reader import ClipReader

TOYBOX = folder_of("toybox") or Path()
READER = ClipReader(TOYBOX)
TOKENIZER = CLIPTokenizer.from_pretrained(TOYBOX / "tokenizer", local_files_only=True, model_max_length=10**9)
LONG = "a plate piled high with chocolate chip cookies"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.text("abc ,.!9", max_size=60)


def cut_at_the_end(text: str) -> torch.Tensor:
    """What CLIP's tokenizer makes of a text by itself."""
    return TOKENIZER(text, padding="max_length", max_length=24, truncation=True, return_tensors="pt").input_ids


def words_of(tokens: torch.Tensor) -> str:
    return TOKENIZER.decode(tokens[0], skip_special_tokens=True)


@given(TEXTS, st.sampled_from(["", *(with_view("", words) for words in VIEW_WORDS)]))
def test_texts_that_fit_keep_their_tokens_and_others_their_view_words(prompt: str, view: str) -> None:
    text = prompt + view
    count = len(TOKENIZER(text).input_ids)
    found = READER(text)
    assert found.shape == (1, 24)
    assert found.dtype == torch.int64
    if count <= 24:
        assert READER.tokens_cut(text) == 0
        assert torch.equal(found, cut_at_the_end(text))
        return
    assert READER.tokens_cut(text) >= count - 24 > 0
    if view:
        assert words_of(found).endswith(view.removeprefix(", "))
        kept = TOKENIZER(prompt, add_special_tokens=False).input_ids[:19]
        assert found[0, 1:20].tolist() == kept
    elif not text.endswith(tuple(VIEW_WORDS)):
        assert torch.equal(found, cut_at_the_end(text))


def test_the_number_of_tokens_that_are_cut() -> None:
    assert [READER.tokens_cut(text) for text in ("", "a blue duck", "a " * 22, "a " * 23)] == [0, 0, 0, 1]
    assert [READER.tokens_cut(with_view("a " * count, "back view")) for count in (19, 20, 30)] == [0, 1, 11]


def test_front_and_back_of_a_long_prompt_have_their_own_conditioning() -> None:
    prior = load_prior("toybox")
    assert isinstance(prior, LimitedText)
    assert prior.tokens_cut(with_view(LONG, "back view")) > 0
    views = prior.embed([with_view(LONG, words) for words in VIEW_WORDS]).sequence
    assert all(not torch.equal(views[i], views[j]) for i in range(4) for j in range(i))
    positive, _ = PerpNeg()(prior, LONG, evaluation_ring(4))  # the other one who names sides
    assert not torch.equal(positive.sequence[0], positive.sequence[2])


def test_the_limit_is_the_text_encoder_s_even_if_it_is_smaller_than_the_view_words(tmp_path: Path) -> None:
    for name in ("tokenizer", "text_encoder"):
        shutil.copytree(TOYBOX / name, tmp_path / name)
    config = tmp_path / "text_encoder" / "config.json"
    fields = json.loads(config.read_text())
    for length in (4, 5, 6):
        config.write_text(json.dumps(fields | {"max_position_embeddings": length}))
        reader = ClipReader(tmp_path)
        assert reader(with_view("a duck", "back view")).shape == (1, length)
    del fields["max_position_embeddings"]
    config.write_text(json.dumps(fields))
    assert ClipReader(tmp_path).length == 77


def test_words_outside_the_vocabulary_are_named() -> None:
    assert READER.unknown_words("A Frog, a blue duck and a frog; 猫 3 x") == ["frog", "猫"]
    assert READER.unknown_words("a photo of a red striped car, front view") == []


def test_only_priors_with_a_tokenizer_read_a_limited_number_of_tokens() -> None:
    assert not isinstance(load_prior("gaussian"), LimitedText)
    assert prompt_reader("gaussian") is None
    assert "toybox" in priors
    reader = prompt_reader("toybox")
    assert reader is not None
    assert reader.length == 24

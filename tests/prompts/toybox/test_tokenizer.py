from __future__ import annotations

from pathlib import Path

from transformers import CLIPTokenizer

import methods.torchvision_shim  # noqa: F401
from prompts.toybox import CONTEXT_LENGTH, write_clip_tokenizer
from prompts.toybox.captions import WORDS


def test_every_word_is_one_token_and_files_are_the_same_each_time(tmp_path: Path) -> None:
    write_clip_tokenizer(tmp_path / "a")
    write_clip_tokenizer(tmp_path / "b")
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "a")
    assert [word for word in WORDS if len(tokenizer.tokenize(word)) != 1] == []
    assert tokenizer.tokenize("Good photo.") == ["good</w>", "photo</w>", ".</w>"]
    assert len(tokenizer("a red car", padding="max_length", truncation=True).input_ids) == CONTEXT_LENGTH


def test_unknown_words_fall_apart_but_can_be_read(tmp_path: Path) -> None:
    write_clip_tokenizer(tmp_path)
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path)
    pieces = tokenizer.tokenize("a zeppelin")
    assert len(pieces) > 3
    assert "".join(pieces).replace("</w>", "") == "azeppelin"

"""The toybox's vocabulary as CLIP's byte-pair tokenizer files, made deterministically.

Each word of the grammar is one token.  Letters stay in the vocabulary, so any text can be read, but a word
outside the grammar becomes letters, which no model has learnt.
"""

from __future__ import annotations

import json
import string
from itertools import pairwise
from pathlib import Path

from prompts.toybox.captions import WORDS

#: Tokens of a text, start and end included, that the toybox's models read.
CONTEXT_LENGTH = 24

_START, _END = "<|startoftext|>", "<|endoftext|>"


def write_clip_tokenizer(folder: Path) -> None:
    """Write ``vocab.json``, ``merges.txt`` and ``tokenizer_config.json``, as ``CLIPTokenizer`` loads them."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = string.ascii_lowercase + string.digits + ",.'-!?&"
    tokens = [*letters, *(letter + "</w>" for letter in letters)]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        # A word's merges come after those of earlier words, which are therefore whole before these apply.
        pieces = _merge([*word[:-1], word[-1] + "</w>"], merges)
        while len(pieces) > 1:
            merges.append((pieces[0], pieces[1]))
            pieces = _merge(pieces, merges[-1:])
            tokens.append(pieces[0])
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys([*tokens, _START, _END]))}
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "bos_token": _START,
        "eos_token": _END,
        "unk_token": _END,
        "pad_token": _END,
        "model_max_length": CONTEXT_LENGTH,
    }
    (folder / "vocab.json").write_text(json.dumps(vocabulary, indent=0) + "\n", encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _merge(pieces: list[str], merges: list[tuple[str, str]]) -> list[str]:
    """Apply byte-pair merges in the order of their rank."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    while True:
        pairs = list(pairwise(pieces))
        best = min(pairs, key=lambda pair: ranks.get(pair, len(ranks)), default=None)
        if best is None or best not in ranks:
            return pieces
        merged, index = [], 0
        while index < len(pieces):
            if index + 1 < len(pieces) and (pieces[index], pieces[index + 1]) == best:
                merged.append(pieces[index] + pieces[index + 1])
                index += 2
            else:
                merged.append(pieces[index])
                index += 1
        pieces = merged

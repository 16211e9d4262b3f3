"""The part of a text that a text encoder reads: its tokens, the cut, and the words that it does not know."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from methods.cameras import VIEW_WORDS, with_view

_WORD = re.compile(r"[^\W\d_]+")


class TextReader(ABC):
    """A tokenizer with the number of tokens that its text encoder reads.

    A text that is too long loses tokens at its end.  One that ends with view words ("…, back view") loses those before
    them, because a prior that sees no view words has one conditioning for all sides.

    Args:
        tokenizer: One of transformers' tokenizers, without a length of its own.
        length: Number of tokens, those that start and end a text included.
    """

    #: Tokens that start and end a text.
    specials: int

    def __init__(self, tokenizer: Any, length: int) -> None:
        self._tokenizer = tokenizer
        self.length = length

    def __call__(self, text: str) -> Tensor:
        """Token indices ``(1 n)`` for the text encoder, n being its length."""
        prompt, view = self._parts(text)
        if not view or self.tokens_cut(text) == 0:
            read: Tensor = self._tokenizer(
                self.prepared(text), padding="max_length", max_length=self.length, truncation=True, return_tensors="pt"
            ).input_ids
            return read
        room = self.length - self.specials
        view = view[:room]
        prompt = prompt[: room - len(view)]
        return torch.tensor([self.framed([*prompt, *view])])

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that the text encoder does not read; 0 if the text fits."""
        room = self.length - self.specials
        if len(self._tokens(text)) <= room:
            return 0
        prompt, view = self._parts(text)
        return len(prompt) + len(view) - room

    def unknown_words(self, text: str) -> list[str]:
        """The words of the text that the tokenizer does not know, in lower case and in the order of the text."""
        words = dict.fromkeys(word.lower() for word in _WORD.findall(text))
        return [word for word in words if self.is_unknown(self._tokenizer.tokenize(word))]

    def prepared(self, text: str) -> str:
        """The text as the tokenizer takes it."""
        return text

    @abstractmethod
    def framed(self, tokens: list[int]) -> list[int]:
        """The tokens of a text that fills the length, with those that start and end it."""

    @abstractmethod
    def is_unknown(self, tokens: list[str]) -> bool:
        """Test whether the tokens of one word show that the tokenizer does not know it."""

    def _parts(self, text: str) -> tuple[list[int], list[int]]:
        """The tokens of the prompt and of the view words after it."""
        ending = next((end for words in VIEW_WORDS if text.endswith(end := with_view("", words))), "")
        return self._tokens(text.removesuffix(ending)), self._tokens(ending)

    def _tokens(self, text: str) -> list[int]:
        indices: list[int] = self._tokenizer.convert_tokens_to_ids(self._tokenizer.tokenize(self.prepared(text)))
        return indices

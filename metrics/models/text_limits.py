"""The tokenizers of the models that score, for the length of texts in a plan, which loads no network."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Protocol

from metrics.models.clip import count_cut
from metrics.models.clip_folder import clip_tokenizer
from metrics.models.reward import CONFIG_FILE, RewardConfig, RewardTokenizer


class TextReader(Protocol):
    """The tokenizer of a model that scores."""

    length: int
    """Tokens that the model reads, start and end included."""

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that the model does not read; 0 if the text fits."""
        ...


class _ClipReader:
    def __init__(self, folder: Path) -> None:
        self._tokenizer = clip_tokenizer(folder)
        self.length = int(self._tokenizer.context_length)

    def tokens_cut(self, text: str) -> int:
        return count_cut(self._tokenizer, text)


class _RewardReader:
    def __init__(self, folder: Path) -> None:
        self.length = RewardConfig.model_validate_json((folder / CONFIG_FILE).read_text(encoding="utf-8")).max_length
        self._tokenizer = RewardTokenizer(folder, self.length)

    def tokens_cut(self, text: str) -> int:
        return self._tokenizer.tokens_cut(text)


@cache
def text_reader(folder: Path) -> TextReader:
    """Load the tokenizer of the model in a folder: a reward model, or a CLIP.

    Raises:
        WeightsError: If it cannot be read.
    """
    return _RewardReader(folder) if (folder / CONFIG_FILE).is_file() else _ClipReader(folder)


def shorten(prompt: str, tokens_cut: Callable[[str], int]) -> str:
    """Return the first words of a prompt that fit; all of it, unchanged, if it does.

    Args:
        prompt: The text.
        tokens_cut: Tokens that are left out of a prompt with what comes behind it.
    """
    words = prompt.split()
    while words and tokens_cut(prompt):
        words.pop()
        prompt = " ".join(words)
    return prompt

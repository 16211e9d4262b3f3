"""The part of a text that a pipeline's text encoders read."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from methods.priors.pipeline.folder import family_in


class PromptReader:
    """The tokenizers of a pipeline's text encoders.

    Args:
        folder: The pipeline folder.

    Raises:
        WeightsError: If a tokenizer or a text encoder's configuration cannot be read, or they do not belong together.
    """

    def __init__(self, folder: Path) -> None:
        self._readers = family_in(folder).readers(folder)
        self.length = max(reader.length for reader in self._readers.values())
        """Number of tokens that the text encoder with the longest input reads."""

    def __call__(self, text: str) -> dict[str, Tensor]:
        """Token indices ``(1 n)`` for each text encoder."""
        return {name: reader(text) for name, reader in self._readers.items()}

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that no text encoder reads; 0 if the text fits into one of them."""
        return min(reader.tokens_cut(text) for reader in self._readers.values())

    def unknown_words(self, text: str) -> list[str]:
        """The words of the text that no tokenizer knows, in lower case and in the order of the text."""
        unknown = [reader.unknown_words(text) for reader in self._readers.values()]
        return [word for word in unknown[0] if all(word in words for words in unknown)]

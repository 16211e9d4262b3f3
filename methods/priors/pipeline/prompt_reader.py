"""The part of a text that a pipeline's text encoder reads: its tokens, the cut, and the words that it does not know."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

import methods.torchvision_shim  # noqa: F401  (before transformers)

# isort: split
from transformers import CLIPTokenizer

from methods.cameras import VIEW_WORDS, with_view
from methods.priors.pipeline.folder import TOKENIZER, read_json
from methods.weights import WeightsError
from methods.weights_file import check_file

_WORD = re.compile(r"[^\W\d_]+")
_END_OF_WORD = "</w>"
_NO_LIMIT = 10**9
_CLIP_VOCABULARY = 49408  # the default of transformers' CLIPTextConfig
_MOST_UNMADE = 0.005  # share of the tokens, for those that someone added


class PromptReader:
    """The tokenizer of a pipeline, with the number of tokens that its text encoder reads.

    A text that is too long loses tokens at its end.  One that ends with view words ("…, back view") loses those before
    them, because a prior that sees no view words has one conditioning for all sides.

    Args:
        folder: The pipeline folder.

    Raises:
        WeightsError: If tokenizer or text encoder's configuration cannot be read, or they do not belong together.
    """

    def __init__(self, folder: Path) -> None:
        config = read_json(folder / "text_encoder" / "config.json")
        self.length = int(config.get("max_position_embeddings", 77))  # the default of transformers' CLIPTextConfig
        self._tokenizer = _load_tokenizer(folder / "tokenizer")
        rows = int(config.get("vocab_size", _CLIP_VOCABULARY))
        if (largest := max(self._tokenizer.get_vocab().values(), default=0)) >= rows:
            raise WeightsError(
                f"{folder / 'tokenizer'}: has tokens up to {largest}, but the text encoder has {rows}; the two are not "
                "of one pipeline"
            )

    def __call__(self, text: str) -> Tensor:
        """Token indices ``(1 n)`` for the text encoder, n being its length."""
        prompt, view = self._parts(text)
        if not view or self.tokens_cut(text) == 0:
            read: Tensor = self._tokenizer(
                text, padding="max_length", max_length=self.length, truncation=True, return_tensors="pt"
            ).input_ids
            return read
        view = view[: self.length - 2]
        prompt = prompt[: self.length - 2 - len(view)]
        return torch.tensor([[self._tokenizer.bos_token_id, *prompt, *view, self._tokenizer.eos_token_id]])

    def tokens_cut(self, text: str) -> int:
        """Number of the text's tokens that the text encoder does not read; 0 if the text fits."""
        room = self.length - 2  # between start and end
        if len(self._tokens(text)) <= room:
            return 0
        prompt, view = self._parts(text)
        return len(prompt) + len(view) - room

    def unknown_words(self, text: str) -> list[str]:
        """The words of the text that the tokenizer spells, in lower case and in the order of the text.

        A word is spelled if it has several tokens of which one is a single symbol, or a token that stands for anything
        unknown.  Words of CLIP's published vocabulary are not; for the toybox, almost all words outside its grammar.
        """
        words = dict.fromkeys(word.lower() for word in _WORD.findall(text))
        return [word for word in words if self._is_spelled(self._tokenizer.tokenize(word))]

    def _is_spelled(self, tokens: list[str]) -> bool:
        lengths = [len(token.removesuffix(_END_OF_WORD)) for token in tokens]
        return self._tokenizer.unk_token in tokens or (len(tokens) > 1 and min(lengths) == 1)

    def _parts(self, text: str) -> tuple[list[int], list[int]]:
        """The tokens of the prompt and of the view words after it."""
        ending = next((end for words in VIEW_WORDS if text.endswith(end := with_view("", words))), "")
        return self._tokens(text.removesuffix(ending)), self._tokens(ending)

    def _tokens(self, text: str) -> list[int]:
        indices: list[int] = self._tokenizer.convert_tokens_to_ids(self._tokenizer.tokenize(text))
        return indices


def _load_tokenizer(folder: Path) -> CLIPTokenizer:
    for name in TOKENIZER:
        if (folder / name).is_file():
            check_file(folder / name)
    _check_merges(folder)
    try:
        # no length of the tokenizer's own: it would only warn of texts that are cut here
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True, model_max_length=_NO_LIMIT)
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise WeightsError(f"{folder}: cannot be loaded as CLIPTokenizer ({why})") from error


def _check_merges(folder: Path) -> None:
    """Check that the merges make the tokens of the vocabulary; a file that was cut short is readable all the same."""
    if not ((folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()):
        return
    lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
    made = {line.rstrip("\r").replace(" ", "") for line in lines}
    tokens = [token for token in read_json(folder / "vocab.json") if len(token.removesuffix(_END_OF_WORD)) > 1]
    missing = [token for token in tokens if token not in made and not token.startswith("<|")]
    if len(missing) > len(tokens) * _MOST_UNMADE:
        raise WeightsError(
            f"{folder / 'merges.txt'}: makes all but {len(missing)} of {len(tokens)} tokens of vocab.json, such as "
            f"{missing[0]!r}, so it was cut short; copy or download it again"
        )

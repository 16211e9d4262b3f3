"""T5's tokenizer in the folder of a pipeline."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import methods.torchvision_shim  # noqa: F401  (before transformers)

# isort: split
from transformers import T5TokenizerFast

from methods.priors.pipeline.json_file import read_json
from methods.priors.pipeline.text_reader import TextReader
from methods.priors.pipeline.tokenizer_files import T5_TOKENIZER
from methods.weights import WeightsError
from methods.weights_file import check_file

_NO_LIMIT = 10**9
_T5_VOCABULARY = 32128  # the default of transformers' T5Config


class T5Reader(TextReader):
    """The tokenizer of a pipeline's T5 text encoder.

    Args:
        folder: The pipeline folder.
        length: Number of tokens that the pipeline's network was trained on.
        tokenizer: Name of the tokenizer's folder in it.
        encoder: Name of the text encoder's.
        lower: Reads texts in lower case and without space around them, as some pipelines do.

    Raises:
        WeightsError: If tokenizer or text encoder's configuration cannot be read, or they do not belong together.
    """

    specials = 1

    def __init__(
        self,
        folder: Path,
        length: int,
        tokenizer: str = "tokenizer",
        encoder: str = "text_encoder",
        *,
        lower: bool = False,
    ) -> None:
        super().__init__(_load_tokenizer(folder / tokenizer), length)
        self._lower = lower
        rows = int(read_json(folder / encoder / "config.json").get("vocab_size", _T5_VOCABULARY))
        if (largest := max(self._tokenizer.get_vocab().values(), default=0)) >= rows:
            raise WeightsError(
                f"{folder / tokenizer}: has tokens up to {largest}, but the text encoder has {rows}; the two are not "
                "of one pipeline"
            )

    def prepared(self, text: str) -> str:
        """The text, in lower case if the pipeline reads it so."""
        return text.lower().strip() if self._lower else text

    def framed(self, tokens: list[int]) -> list[int]:
        """The tokens and the end."""
        return [*tokens, self._tokenizer.eos_token_id]

    def is_unknown(self, tokens: list[str]) -> bool:
        """Test whether a word has a symbol that the vocabulary lacks; all others are read in pieces."""
        return self._tokenizer.unk_token_id in self._tokenizer.convert_tokens_to_ids(tokens)


def _load_tokenizer(folder: Path) -> T5TokenizerFast:
    for name in T5_TOKENIZER:
        if (folder / name).is_file():
            check_file(folder / name)
    if not (folder / "tokenizer.json").is_file() and find_spec("sentencepiece") is None:
        raise WeightsError(
            f"{folder}: spiece.model is read by a package that is not installed; run: pip install sentencepiece"
        )
    try:
        # no length of the tokenizer's own: it would only warn of texts that are cut here
        return T5TokenizerFast.from_pretrained(folder, local_files_only=True, model_max_length=_NO_LIMIT)
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise WeightsError(f"{folder}: cannot be loaded as T5Tokenizer ({why})") from error

"""CLIP's tokenizer in the folder of a pipeline."""

from __future__ import annotations

from pathlib import Path

import methods.torchvision_shim  # noqa: F401  (before transformers)

# isort: split
from transformers import CLIPTokenizer

from methods.priors.pipeline.families.family import clip_length
from methods.priors.pipeline.json_file import read_json
from methods.priors.pipeline.text_reader import TextReader
from methods.priors.pipeline.tokenizer_files import TOKENIZER
from methods.weights import WeightsError
from methods.weights_file import check_file

_END_OF_WORD = "</w>"
_NO_LIMIT = 10**9
_CLIP_VOCABULARY = 49408  # the default of transformers' CLIPTextConfig
_MOST_UNMADE = 0.005  # share of the tokens, for those that someone added


class ClipReader(TextReader):
    """The tokenizer of a pipeline's CLIP text encoder.

    Args:
        folder: The pipeline folder.
        tokenizer: Name of the tokenizer's folder in it.
        encoder: Name of the text encoder's.

    Raises:
        WeightsError: If tokenizer or text encoder's configuration cannot be read, or they do not belong together.
    """

    specials = 2

    def __init__(self, folder: Path, tokenizer: str = "tokenizer", encoder: str = "text_encoder") -> None:
        config = read_json(folder / encoder / "config.json")
        super().__init__(_load_tokenizer(folder / tokenizer), clip_length(config))
        rows = int(config.get("vocab_size", _CLIP_VOCABULARY))
        if (largest := max(self._tokenizer.get_vocab().values(), default=0)) >= rows:
            raise WeightsError(
                f"{folder / tokenizer}: has tokens up to {largest}, but the text encoder has {rows}; the two are not "
                "of one pipeline"
            )

    def framed(self, tokens: list[int]) -> list[int]:
        """The tokens between start and end."""
        return [self._tokenizer.bos_token_id, *tokens, self._tokenizer.eos_token_id]

    def is_unknown(self, tokens: list[str]) -> bool:
        """Test whether a word is spelled.

        It is if it has several tokens of which one is a single symbol, or a token that stands for anything unknown.
        Words of CLIP's published vocabulary are not; for the toybox, almost all words outside its grammar.
        """
        lengths = [len(token.removesuffix(_END_OF_WORD)) for token in tokens]
        return self._tokenizer.unk_token in tokens or (len(tokens) > 1 and min(lengths) == 1)


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

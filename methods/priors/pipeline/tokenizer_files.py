"""The files that a pipeline's tokenizer may have."""

from __future__ import annotations

from collections.abc import Collection

from methods.weights import WeightsError

#: Files of a CLIP tokenizer.
TOKENIZER = ["vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
#: Files of a T5 tokenizer.
T5_TOKENIZER = ["spiece.model", "added_tokens.json", "tokenizer.json", "tokenizer_config.json",
                "special_tokens_map.json"]  # fmt: skip


def tokenizer_files(names: Collection[str], tokenizer: str, where: str) -> list[str]:
    """The files of the tokenizer in the folder ``tokenizer`` of a pipeline.

    Args:
        names: Paths of all files of the pipeline, with ``/``.
        tokenizer: Name of the folder.
        where: Beginning of an error's message.

    Raises:
        WeightsError: If what it needs is missing.
    """
    is_t5 = f"{tokenizer}/spiece.model" in names
    found = [f"{tokenizer}/{name}" for name in (T5_TOKENIZER if is_t5 else TOKENIZER) if f"{tokenizer}/{name}" in names]
    needed = {f"{tokenizer}/vocab.json", f"{tokenizer}/merges.txt"}
    if not is_t5 and not needed <= set(names) and f"{tokenizer}/tokenizer.json" not in names:
        raise WeightsError(f"{where}: no {tokenizer}/vocab.json with merges.txt, and no {tokenizer}/tokenizer.json")
    return found

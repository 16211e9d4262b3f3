"""Ids of prompts: the rule for them, and those of prompts that come without one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

#: What an id is, which is part of file names.
ID_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
LONGEST_ID = 60
ID_RULE = f"must be small letters and digits, in words joined by -, of at most {LONGEST_ID} characters"

_SLUG_LENGTH = 48
_LONGEST_HASH = 11  # so that an id is not too long


def slug(text: str) -> str:
    """Make a prompt's id from its text: its words, cut at 48 characters and then made distinct by a hash.

    >>> slug("A DSLR photo of a hamburger")
    'a-dslr-photo-of-a-hamburger'
    >>> slug("A plate piled high with chocolate chip cookies, on a table")
    'a-plate-piled-high-with-chocolate-chip-cookies-60121c'
    """
    words = re.findall("[a-z0-9]+", text.lower())
    kept = _kept(words)
    return "-".join(kept) if kept and len(kept) == len(words) else _hashed(kept, text, 6)


def is_id(text: str) -> bool:
    """Whether a text can be an id.

    >>> is_id("blue-duck-2"), is_id("Blue duck")
    (True, False)
    """
    return len(text) <= LONGEST_ID and re.fullmatch(ID_PATTERN, text) is not None


def free_id(text: str, taken: Mapping[str, str]) -> str | None:
    """The id of a prompt of a list: its slug, with a hash if an earlier prompt has that.

    Args:
        text: The prompt.
        taken: The earlier prompts by id.

    Returns:
        An id that is not taken; None if one of the earlier prompts is the same, except for spaces and upper case.

    Raises:
        ValueError: If no hash of the text is free.
    """
    same = _folded(text)
    kept = _kept(re.findall("[a-z0-9]+", text.lower()))
    for candidate in (slug(text), *(_hashed(kept, same, length) for length in range(6, _LONGEST_HASH + 1))):
        if candidate not in taken:
            return candidate
        if _folded(taken[candidate]) == same:
            return None
    raise ValueError(f"{text!r:.80}: every id that could be made for it is taken")


def _kept(words: list[str]) -> list[str]:
    return [word for end, word in enumerate(words, 1) if len("-".join(words[:end])) <= _SLUG_LENGTH]


def _hashed(words: list[str], text: str, length: int) -> str:
    return "-".join([*words, hashlib.sha256(text.encode()).hexdigest()[:length]])


def _folded(text: str) -> str:
    """The text as a tokenizer of CLIP reads it: in lower case, with single spaces."""
    return " ".join(text.lower().split())

"""Lists of prompts without ids: text with one prompt per line, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from prompts.errors import PromptSetError
from prompts.prompt_ids import free_id

#: Names that the column of a CSV, or the key of a JSON object, with the prompts may have, the first ones first.
COLUMNS = ("prompt", "prompts", "text", "caption")

_SHOWN = 5  # repeated prompts that a warning names
_LOGGER = logging.getLogger("sdibench")


class Entry(NamedTuple):
    """A prompt and its place in the file."""

    place: str  # "line 3"
    text: str


def read_prompt_list(text: str, ending: str, where: str) -> list[dict[str, str]]:
    """The prompts of a list, in its order, each with an ``id`` and a ``text``; blank ones are left out.

    A prompt that is there twice is kept once, and a warning names both places.

    Args:
        text: The content of the file.
        ending: One of ``LISTS``, which says how the file is read.
        where: Beginning of the message of an error.

    Raises:
        PromptSetError: If the file is malformed, or has no prompts.
    """
    found: dict[str, str] = {}
    places: dict[str, str] = {}
    repeated = []
    for place, raw in LISTS[ending](text, where):
        prompt = raw.strip()
        if not prompt:
            continue
        _check_text(prompt, f"{where}: {place}")
        try:
            prompt_id = free_id(prompt, found)
        except ValueError as error:
            raise PromptSetError(f"{where}: {place}: {error}") from None
        folded = " ".join(prompt.lower().split())
        if prompt_id is None:
            repeated.append(f"{place} repeats {places[folded]}")
        else:
            found[prompt_id] = prompt
            places.setdefault(folded, place)
    if not found:
        raise PromptSetError(f"{where}: has no prompts")
    if repeated:
        more = f" and {len(repeated) - _SHOWN} more" * (len(repeated) > _SHOWN)
        _warn(f"{where}: prompts that are there more than once are kept once: {', '.join(repeated[:_SHOWN])}{more}")
    return [{"id": prompt_id, "text": prompt} for prompt_id, prompt in found.items()]


def _lines(text: str, where: str) -> Iterator[Entry]:
    """The lines, which end at LF or CRLF and nowhere else: a prompt may hold any other space."""
    for number, line in enumerate(text.split("\n"), 1):
        yield Entry(f"line {number}", line)


def _csv(text: str, where: str) -> Iterator[Entry]:
    """The column of the prompts, which the first row names."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        column = next((names.index(name) for name in COLUMNS if name in names), None)
        if column is None:
            raise PromptSetError(
                f"{where}: the first row names no column prompt; it has {', '.join(names) or 'nothing'}"
            )
        for row in rows:
            yield Entry(f"line {rows.line_num}", row[column] if column < len(row) else "")
    except csv.Error as error:
        raise PromptSetError(f"{where}: line {rows.line_num}: is not CSV: {error}") from None


def _json(text: str, where: str) -> Iterator[Entry]:
    """The entries of a list of texts, or of objects with a key ``prompt``, or of the one list of an object."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PromptSetError(f"{where}: is not JSON: {error}") from None
    if isinstance(content, dict):
        lists = [value for value in content.values() if isinstance(value, list)]
        content = next((content[name] for name in COLUMNS if isinstance(content.get(name), list)), None) or (
            lists[0] if len(lists) == 1 else None
        )
    if not isinstance(content, list):
        raise PromptSetError(f'{where}: must be a list of prompts, such as ["a blue duck"], or have one as "prompts"')
    for number, entry in enumerate(content, 1):
        yield Entry(f"entry {number}", _text_of(entry, f"{where}: entry {number}"))


def _text_of(entry: Any, where: str) -> str:
    named: Iterable[Any] = (entry.get(name) for name in COLUMNS) if isinstance(entry, dict) else (entry,)
    text = next((value for value in named if isinstance(value, str)), None)
    if text is None:
        raise PromptSetError(f"{where}: {entry!r:.80}: must be a text, or an object with a text as prompt")
    return text


def _check_text(text: str, where: str) -> None:
    """Refuse half a surrogate pair, which JSON may contain and no tokenizer reads."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PromptSetError(f"{where}: {text!r:.80}: is not Unicode text ({error.reason})") from None


@cache
def _warn(message: str) -> None:
    """Warn once in a process: a command reads its prompts several times."""
    _LOGGER.warning(message)


#: How files are read, by their ending in lower case.
LISTS = {".txt": _lines, ".csv": _csv, ".json": _json}

#: Endings of files with prompts; any other name is that of a prompt set of the suite.
PROMPT_FILES = (".toml", *LISTS)

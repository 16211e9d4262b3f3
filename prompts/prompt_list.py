"""Lists of prompts, mostly without ids: text with one prompt per line, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from prompts.errors import PromptSetError
from prompts.prompt_ids import ID_RULE, free_id, is_id

#: Names that the column of a CSV, or the key of a JSON object, with the prompts may have, the first ones first.
COLUMNS = ("prompt", "prompts", "text", "caption")

#: Name of the column, or the key, with their ids.
_ID = "id"

_SHOWN = 5  # of what a warning names
_LOGGER = logging.getLogger("sdibench")


class Entry(NamedTuple):
    """A prompt and its place in the file."""

    place: str  # "line 3"
    text: str
    id: str | None = None  # where the file has one


def read_prompt_list(text: str, ending: str, where: str) -> list[dict[str, str]]:
    """The prompts of a list, in its order, each with an ``id`` and a ``text``; blank ones are left out.

    A prompt without an id that is there twice is kept once, and a warning names both places.

    Args:
        text: The content of the file.
        ending: One of ``LISTS``, which says how the file is read.
        where: Beginning of the message of an error.

    Raises:
        PromptSetError: If the file is malformed, or has no prompts.
    """
    entries = [entry._replace(text=text) for entry in LISTS[ending](text, where) if (text := entry.text.strip())]
    if not entries:
        raise PromptSetError(f"{where}: has no prompts")
    for entry in entries:
        _check_text(entry.text, f"{where}: {entry.place}")
    has_ids = any(entry.id is not None for entry in entries)
    found = _with_given_ids(entries, where) if has_ids else _with_made_ids(entries, where)
    return [{"id": prompt_id, "text": prompt} for prompt_id, prompt in found.items()]


def _with_given_ids(entries: Sequence[Entry], where: str) -> dict[str, str]:
    """The prompts by the ids that the file has, of which each prompt needs its own."""
    places: dict[str, str] = {}
    for entry in entries:
        place = f"{where}: {entry.place}: id = {entry.id or ''!r:.80}"
        if entry.id is None or not is_id(entry.id):
            raise PromptSetError(f"{place}: {ID_RULE}")
        if entry.id in places:
            raise PromptSetError(f"{place}: is that of {places[entry.id]}; each prompt needs its own")
        places[entry.id] = entry.place
    return {str(entry.id): entry.text for entry in entries}


def _with_made_ids(entries: Sequence[Entry], where: str) -> dict[str, str]:
    """The prompts by ids that are made from their words."""
    found: dict[str, str] = {}
    places: dict[str, str] = {}
    repeated = []
    for place, prompt, _ in entries:
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
    if repeated:
        _warn(f"{where}: prompts that are there more than once are kept once: {_some_of(repeated)}")
    return found


def _lines(text: str, where: str) -> Iterator[Entry]:
    """The lines, which end at LF or CRLF and nowhere else: a prompt may hold any other space."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("#"):
            raise PromptSetError(
                f"{where}: line {number}: {line.strip()!r:.80}: begins with #, and a list has no comments; leave the "
                "line out, or write a prompt that begins so in CSV or JSON"
            )
        yield Entry(f"line {number}", line)


def _csv(text: str, where: str) -> Iterator[Entry]:
    """The columns of the prompts and of their ids, which the first row names."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        column = next((names.index(name) for name in COLUMNS if name in names), None)
        if column is None:
            raise PromptSetError(
                f"{where}: the first row names no column prompt; it has {', '.join(names) or 'nothing'}"
            )
        ids = names.index(_ID) if _ID in names else None
        if unread := [name for place, name in enumerate(names) if name and place not in (column, ids)]:
            _warn(f"{where}: columns that are not read: {_some_of(unread)}")
        for row in rows:
            cells = [*row, *("" for _ in names[len(row) :])]
            yield Entry(f"line {rows.line_num}", cells[column], None if ids is None else cells[ids].strip())
    except csv.Error as error:
        raise PromptSetError(f"{where}: line {rows.line_num}: is not CSV: {error}") from None


def _json(text: str, where: str) -> Iterator[Entry]:
    """The entries of a list of texts, or of objects with the keys ``prompt`` and ``id``, or of an object's one list."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PromptSetError(f"{where}: is not JSON: {error}") from None
    keys: list[str] = []
    if isinstance(content, dict):
        lists = [key for key, value in content.items() if isinstance(value, list)]
        key = next((name for name in COLUMNS if name in lists), lists[0] if len(lists) == 1 else None)
        keys = [name for name in content if name != key]
        content = None if key is None else content[key]
    if not isinstance(content, list):
        raise PromptSetError(f'{where}: must be a list of prompts, such as ["a blue duck"], or have one as "prompts"')
    keys += [
        name for entry in content if isinstance(entry, dict) for name in entry if name not in (_ID, _key_of(entry))
    ]
    if keys:
        _warn(f"{where}: keys that are not read: {_some_of(list(dict.fromkeys(keys)))}")
    for number, entry in enumerate(content, 1):
        place = f"entry {number}"
        yield Entry(place, _text_of(entry, f"{where}: {place}"), _id_of(entry, f"{where}: {place}"))


def _key_of(entry: dict[str, Any]) -> str | None:
    return next((name for name in COLUMNS if isinstance(entry.get(name), str)), None)


def _text_of(entry: Any, where: str) -> str:
    text = entry.get(_key_of(entry)) if isinstance(entry, dict) else entry
    if not isinstance(text, str):
        raise PromptSetError(f"{where}: {entry!r:.80}: must be a text, or an object with a text as prompt")
    return text


def _id_of(entry: Any, where: str) -> str | None:
    if not isinstance(entry, dict) or entry.get(_ID) is None:
        return None
    given = entry[_ID]
    if not isinstance(given, str | int) or isinstance(given, bool):
        raise PromptSetError(f"{where}: id = {given!r:.80}: {ID_RULE}")
    return str(given)


def _check_text(text: str, where: str) -> None:
    """Refuse half a surrogate pair, which JSON may contain and no tokenizer reads."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PromptSetError(f"{where}: {text!r:.80}: is not Unicode text ({error.reason})") from None


def _some_of(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN)
    return f"{', '.join(names[:_SHOWN])}{more}"


@cache
def _warn(message: str) -> None:
    """Warn once in a process: a command reads its prompts several times."""
    _LOGGER.warning(message)


#: How files are read, by their ending in lower case.
LISTS = {".txt": _lines, ".csv": _csv, ".json": _json}

#: Endings of files with prompts; any other name is that of a prompt set of the suite.
PROMPT_FILES = (".toml", *LISTS)

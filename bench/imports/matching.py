"""Matching of objects on disk to prompts; what is not certain is left out, with the reason."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import InputError
from bench.imports.asset import Asset
from bench.imports.files import read_bytes, shown
from bench.imports.listing import natural_key
from prompts.prompt_ids import slug
from prompts.prompt_set import Prompt

#: Fewest characters of a name that may be the beginning of a prompt.
FEWEST_OF_CUT = 20

_TIMESTAMP = re.compile(r"@[0-9]{8}-[0-9]{6}$")
_MOST_TABLE_BYTES = 2**24


@dataclass(frozen=True)
class Matching:
    """Objects by their prompts."""

    found: list[tuple[Prompt, Asset]]
    """Prompts in their order, each with its objects in the order of their seeds or places."""
    unmatched: list[Asset]
    """Objects without a prompt, in their order."""
    missing: list[Prompt]
    """Prompts without an object."""
    reasons: list[str]
    """Why each of ``unmatched`` has no prompt, one line each, with its place."""
    idle_rows: list[str]
    """Folders that the table names and no object has, in their order."""


def match(assets: Sequence[Asset], prompts: Sequence[Prompt], table: Mapping[str, str] | None = None) -> Matching:
    """Match objects to prompts.

    A row of ``table`` goes first.  Else the first of an object's names decides that names a prompt: as its id or its
    text; as its text except for case, spaces, punctuation and accents, as in any slug; or as its beginning, if the name
    has at least ``FEWEST_OF_CUT`` characters and exactly one prompt begins so.  threestudio's ``@timestamp`` is cut
    off.

    Several objects of one prompt are in the order of their seeds if all have one, else in the natural order of their
    places.

    Args:
        assets: The objects.
        prompts: The prompts, with distinct ids.
        table: Ids or texts of prompts by the name of the folder or file of an object (:func:`read_table`).
    """
    finder = _Finder(prompts)
    of_prompt: dict[str, list[Asset]] = {}
    unmatched, reasons = [], []
    for asset in assets:
        answer = finder.find(asset, table or {})
        if isinstance(answer, Prompt):
            of_prompt.setdefault(answer.id, []).append(asset)
        else:
            unmatched.append(asset)
            reasons.append(f"{shown(asset.place)}: {answer}")
    found = [(prompt, asset) for prompt in prompts for asset in _in_order(of_prompt.get(prompt.id, []))]
    named = {row for asset in assets for row in _rows(asset)}
    idle_rows = [row for row in table or {} if row not in named]
    return Matching(found, unmatched, [prompt for prompt in prompts if prompt.id not in of_prompt], reasons, idle_rows)


def read_table(path: Path) -> dict[str, str]:
    """Read a CSV with the columns ``folder`` and ``prompt`` (its id or text), such as a list of numbered folders.

    Raises:
        InputError: If it is not such a file, or gives a folder two prompts.
        StorageError: If the file system refuses to read it.
    """
    name = shown(path)
    try:
        text = read_bytes(path, most=_MOST_TABLE_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: is not UTF-8 ({error.reason}); save it as UTF-8") from error
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    table: dict[str, str] = {}
    try:
        heads = [head.strip().lower() for head in next(rows, [])]
        if not {"folder", "prompt"} <= set(heads):
            raise InputError(
                f"{name}: the first row must name the columns folder and prompt; it has {shown(heads):.80}"
            )
        folder_at, prompt_at = heads.index("folder"), heads.index("prompt")
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) <= max(folder_at, prompt_at) or not row[folder_at].strip() or not row[prompt_at].strip():
                raise InputError(f"{name}: line {rows.line_num}: needs a folder and a prompt")
            folder, prompt = row[folder_at].strip().rstrip("/"), row[prompt_at].strip()
            if table.setdefault(folder, prompt) != prompt:
                raise InputError(f"{name}: line {rows.line_num}: folder {shown(folder)!r:.80} has two prompts")
    except csv.Error as error:
        raise InputError(f"{name}: line {rows.line_num}: is not CSV: {error}") from error
    if not table:
        raise InputError(f"{name}: has no rows; give one for each folder, with its prompt")
    return table


def without_timestamp(name: str) -> str:
    """The name of a trial of threestudio without the time of its start.

    >>> without_timestamp("a_duck@20240131-120000")
    'a_duck'
    """
    return _TIMESTAMP.sub("", name)


def _plain_names(asset: Asset) -> tuple[str, ...]:
    return tuple(dict.fromkeys(without_timestamp(name) for name in asset.names))


def _rows(asset: Asset) -> tuple[str, ...]:
    """Folders that a table's row of the object may name, the most exact first."""
    return (str(asset.place), asset.place.name, *asset.names, *_plain_names(asset))


class _Finder:
    """The prompts by everything that may name them."""

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self._prompts = prompts
        self._by: list[tuple[Callable[[str], str], dict[str, list[Prompt]]]] = []
        for key in (str, _fold, _compact):
            table: dict[str, list[Prompt]] = {}
            for prompt in prompts:
                for text in {key(prompt.id), key(prompt.text), key(slug(prompt.text))} - {""}:
                    table.setdefault(text, []).append(prompt)
            self._by.append((key, table))
        self._texts = [(_compact(prompt.text), prompt) for prompt in prompts]

    def find(self, asset: Asset, table: Mapping[str, str]) -> Prompt | str:
        """The prompt of an object, or why there is none."""
        names = _plain_names(asset)
        for row in _rows(asset):
            if (wanted := table.get(row)) is not None:
                return self._named(wanted) or f"its row of the table names no prompt of the set ({shown(wanted)!r:.80})"
        for name in names:
            if answer := self._named(name) or self._cut(name):
                return answer
        return f"names no prompt of the set ({', '.join(repr(shown(name))[:80] for name in names) or 'no name'})"

    def _named(self, name: str) -> Prompt | str | None:
        for key, table in self._by:
            if prompts := table.get(key(name)):
                return prompts[0] if len(prompts) == 1 else _ambiguous(name, prompts)
        return None

    def _cut(self, name: str) -> Prompt | str | None:
        start = _compact(name)
        if len(name) < FEWEST_OF_CUT or not start:
            return None
        prompts = [prompt for text, prompt in self._texts if text.startswith(start)]
        return prompts[0] if len(prompts) == 1 else _ambiguous(name, prompts) if prompts else None


def _ambiguous(name: str, prompts: Sequence[Prompt]) -> str:
    ids = ", ".join(prompt.id for prompt in prompts[:3]) + (", …" if len(prompts) > 3 else "")
    return f"{shown(name)!r:.80} may be of {len(prompts)} prompts: {ids}; say which in a table (CSV folder,prompt)"


def _fold(text: str) -> str:
    """The text without case and with single spaces."""
    return " ".join(text.casefold().split())


def _compact(text: str) -> str:
    """The letters and digits of a text, without case and accents: the same for the text and for every slug of it."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(character for character in plain if character.isalnum())


def _in_order(assets: Sequence[Asset]) -> list[Asset]:
    """The objects of one prompt by their seeds if all have one, and then by the natural order of their places."""
    have_seeds = all(asset.seed is not None for asset in assets)

    def key(asset: Asset) -> tuple[object, ...]:
        return (asset.seed if have_seeds else 0, [natural_key(Path(part)) for part in asset.place.parts])

    return sorted(assets, key=key)  # type: ignore[arg-type]

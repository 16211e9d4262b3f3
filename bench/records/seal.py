"""The hash that a record has of itself, by which a number that was changed by hand or by a bad disk is found."""

from __future__ import annotations

import hashlib
import json

from bench.records.record import BaseRecord

#: Stands for the hash while it is computed.
_OPEN = "0" * 64


def sealed(record: BaseRecord) -> str:
    """The text of ``record.json``, in which ``record_sha256`` is the hash of the text with zeros in its place."""
    text = record.model_copy(update={"record_sha256": _OPEN}).model_dump_json(indent=2) + "\n"
    return text.replace(_field(_OPEN), _field(_sha256(text)), 1)


def is_unchanged(text: str) -> bool:
    """Whether the text of a ``record.json`` is as it was written; True for one of an earlier version.

    It finds accidents and edits, and no forger, who can write a new hash.

    Raises:
        ValueError: If it is not the JSON of an object.
    """
    found = dict(json.loads(text)).get("record_sha256")
    return found is None or _sha256(text.replace(_field(found), _field(_OPEN), 1)) == found


def _field(sha256: str) -> str:
    return f'"record_sha256": "{sha256}"'


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

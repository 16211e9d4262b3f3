from __future__ import annotations

import hashlib
import json

import pytest

from bench.records.record import Record
from bench.records.seal import is_unchanged, sealed
from bench.records.store import RunStore
from bench.study.cell import Cell


@pytest.fixture
def record(finished: RunStore, cell: Cell) -> Record:
    found = finished.read(cell)
    assert found is not None
    return found


def test_it_is_the_hash_of_the_text_with_zeros_in_its_place(record: Record) -> None:
    text = sealed(record)
    found = json.loads(text)["record_sha256"]
    assert hashlib.sha256(text.replace(found, "0" * 64).encode()).hexdigest() == found
    assert found == record.record_sha256  # which the store wrote so
    assert Record.model_validate_json(text) == record


def test_any_other_number_is_found(record: Record) -> None:
    text = sealed(record)
    assert is_unchanged(text)
    fields = json.loads(text)
    for changed in ({"unet_rows": 3}, {"method_sha256": "0" * 64}, {"record_sha256": "0" * 64}):
        assert not is_unchanged(json.dumps(fields | changed, indent=2) + "\n")
    assert not is_unchanged(text + "\n")


def test_a_record_of_an_earlier_version_has_none(record: Record) -> None:
    fields = json.loads(sealed(record))
    del fields["record_sha256"]
    assert is_unchanged(json.dumps(fields))
    with pytest.raises(ValueError, match="Expecting property name"):
        is_unchanged("{")

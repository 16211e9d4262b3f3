from __future__ import annotations

import hashlib
import json

import pytest

from bench.study.cell import Cell


def test_identity_is_the_hash_of_the_canonical_json(cell: Cell) -> None:
    fields = json.loads(cell.model_dump_json())
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    assert cell.identity == hashlib.sha256(canonical.encode()).hexdigest()


def test_identity_survives_a_round_trip(cell: Cell) -> None:
    assert Cell.model_validate_json(cell.model_dump_json()).identity == cell.identity


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"steps": 5}, {"prompt": "a duck"}, {"prior_sha256": "x"}, {"code_version": 99}]
)
def test_identity_changes_with_everything_that_changes_numbers(cell: Cell, change: dict[str, object]) -> None:
    changed = Cell.model_validate_json(json.dumps(json.loads(cell.model_dump_json()) | change))
    assert changed.identity != cell.identity


def test_folder_name_tells_what_it_is(cell: Cell) -> None:
    assert cell.folder_name == f"sds--blue-duck--s0--{cell.identity[:12]}"

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.study.cell import Cell

GOLDEN = Path(__file__).parents[2] / "golden" / "bench"
IDENTITY = "8ba1300b70790dfa48072981f18aa68e802f925f512c59d2fc76bf06abb3261c"


def test_the_identity_of_a_kept_record_never_moves() -> None:
    """The identity of a cell whose record is in the repository may only change with the code version."""
    record = json.loads((GOLDEN / "record.json").read_text(encoding="utf-8"))
    assert Cell.model_validate_json(json.dumps(record["cell"])).identity == IDENTITY == record["identity"]


def test_the_name_of_the_prior_is_no_part_of_the_identity(cell: Cell) -> None:
    """A folder can be written in many ways; its weights have a hash."""
    fields = json.loads(cell.model_dump_json())
    named = [Cell.model_validate_json(json.dumps(fields | {"prior": name})) for name in ("sdA", "./sdA", "/abs/sdA/")]
    assert {other.identity for other in named} == {cell.identity}
    sampled = Cell.model_validate_json(json.dumps(fields | {"prior": {"name": "sdA", "posterior": "sample"}}))
    assert sampled.identity != cell.identity


def test_settings_of_speed_and_memory_are_no_part_of_the_identity(cell: Cell) -> None:
    fields = cell.model_dump(mode="json")
    fields["scene"]["marching"]["backend"], fields["scene"]["samples_at_once"] = "torch", 1000
    assert Cell.model_validate_json(json.dumps(fields)).identity == cell.identity
    fields["scene"]["marching"]["samples"] += 1
    assert Cell.model_validate_json(json.dumps(fields)).identity != cell.identity


def test_identity_survives_a_round_trip(cell: Cell) -> None:
    assert Cell.model_validate_json(cell.model_dump_json()).identity == cell.identity


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"steps": 5}, {"prompt": "a duck"}, {"prior_sha256": "x"}, {"code_version": 99}]
)
def test_identity_changes_with_everything_that_changes_numbers(cell: Cell, change: dict[str, object]) -> None:
    changed = Cell.model_validate_json(json.dumps(json.loads(cell.model_dump_json()) | change))
    assert changed.identity != cell.identity


def test_backends_at_any_depth_are_no_part_of_the_identity(cell: Cell) -> None:
    def with_backends(marching: str, encoding: str, layout: str = "paper") -> str:
        grid = {"name": "hash_grid", "layout": layout, "backend": encoding}
        scene = {"name": "nerf", "marching": {"name": "occupancy", "backend": marching}}
        scene["encoding"] = {"name": "progressive_bands", "encoding": grid}
        return Cell.model_validate_json(json.dumps(json.loads(cell.model_dump_json()) | {"scene": scene})).identity

    identity = with_backends("auto", "auto")
    assert with_backends("nerfacc", "triton") == with_backends("torch", "tinycudann") == identity
    assert with_backends("auto", "auto", "tiny_cuda_nn") != identity


def test_folder_name_says_what_it_is(cell: Cell) -> None:
    assert cell.folder_name == f"sds--blue-duck--s0--{cell.identity[:12]}"

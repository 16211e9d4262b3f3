"""The study's modifiers of any method: where they count, what they are worth to a cell's identity, and wrong values."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import JsonValue

import bench.cells.optimisation
from bench.cells.optimisation import Optimisation
from bench.errors import InputError
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study, parse_study
from methods.cameras import evaluation_ring
from methods.contracts import Prior

MODIFIERS = {"guidance_rescale": 0.5, "update_clamp": [2, 8]}


def with_settings(study: Study, **changes: JsonValue) -> Study:
    fields = study.model_dump(mode="json") | {"name": "modified"} | changes
    return parse_study(fields, where="modified")


@pytest.mark.parametrize("name", MODIFIERS)
def test_a_modifier_is_part_of_a_cell_that_has_one_and_of_no_other(name: str, cell: Cell) -> None:
    fields = json.loads(cell.model_dump_json())
    assert name not in fields
    changed = Cell.model_validate_json(json.dumps(fields | {name: MODIFIERS[name]}))
    assert name in changed.model_dump(mode="json")
    assert changed.identity != cell.identity
    assert Cell.model_validate_json(changed.model_dump_json()) == changed
    default = {"guidance_rescale": 0.0, "update_clamp": None}[name]
    assert Cell.model_validate_json(json.dumps(fields | {name: default})).identity == cell.identity


def test_an_arm_may_have_its_own(study: Study) -> None:
    arms = {"sds": {}, "clamped": {"method": "sds", "settings": MODIFIERS}}
    cells = {cell.label: cell for cell in expand(with_settings(study, methods=arms, baseline="sds"))}
    assert (cells["sds"].guidance_rescale, cells["sds"].update_clamp) == (0.0, None)
    assert (cells["clamped"].guidance_rescale, cells["clamped"].update_clamp) == (0.5, (2.0, 8.0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"update_clamp": [0.0, 1.0]}, "update_clamp"),
        ({"update_clamp": [1.0]}, "update_clamp"),
        ({"update_clamp": 2.0}, "update_clamp"),
        ({"guidance_rescale": 1.5}, "guidance_rescale"),
        ({"guidance_rescale": -0.1}, "guidance_rescale"),
    ],
)
def test_a_wrong_value_is_one_line_with_its_name(study: Study, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        with_settings(study, **changes)
    assert "\n" not in str(caught.value)


def test_the_bound_moves_linearly_over_the_steps_and_reaches_the_latents(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    monkeypatch.setattr(bench.cells.optimisation, "clamp_update", lambda latents, largest: seen.append(largest))
    for _ in Optimisation(cell.model_copy(update={"update_clamp": (2.0, 8.0), "steps": 4}), prior):
        pass
    assert seen == pytest.approx([2.0, 4.0, 6.0, 8.0])
    for _ in Optimisation(cell, prior):
        pass
    assert len(seen) == 4


def test_a_clamped_cell_is_another_and_a_wide_bound_is_none(cell: Cell, prior: Prior) -> None:
    def losses(clamp: tuple[float, float] | None) -> list[float | None]:
        return [event.loss for event, _ in Optimisation(cell.model_copy(update={"update_clamp": clamp}), prior)]

    assert losses((1e6, 1e6)) == losses(None)
    assert losses((1e-3, 1e-3)) != losses(None)


def test_the_method_s_prompt_has_the_rescaling(cell: Cell, prior: Prior) -> None:
    rescaled = Optimisation(cell.model_copy(update={"guidance_rescale": 0.3}), prior).embed(evaluation_ring(1))
    assert rescaled.rescale == 0.3
    assert Optimisation(cell, prior).embed(evaluation_ring(1)).rescale == 0.0


def test_antithetic_cameras_are_part_of_a_cell_that_has_them_and_need_two_views(cell: Cell, study: Study) -> None:
    fields = json.loads(cell.model_dump_json())
    assert "antithetic" not in fields["cameras"]
    paired = fields | {"cameras": fields["cameras"] | {"antithetic": True}, "views_per_step": 2}
    plain = fields | {"views_per_step": 2}
    cells = [Cell.model_validate_json(json.dumps(each)) for each in (paired, plain)]
    assert cells[0].cameras.antithetic
    assert cells[0].identity != cells[1].identity
    with pytest.raises(
        InputError, match=r"cameras\.antithetic: true needs views_per_step of 2 or more, not 1"
    ) as caught:
        with_settings(study, cameras={"antithetic": True}, views_per_step=1)
    assert "\n" not in str(caught.value)

"""The counted rows of every method against those of real runs on the toybox's networks."""

from __future__ import annotations

import pytest

from bench.cells.run_cell import run_cell
from bench.forecast.counted_steps import count_steps
from bench.forecast.counting_prior import Request
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import parse_study
from methods.distillation import methods
from methods.priors.loading import cached_prior

STEPS = 3


def _cell(method: str, *, scene: str = "image", steps: int = STEPS, **more: object) -> Cell:
    fields = {
        "name": "rows", "title": "Rows", "prior": "toybox", "scorers": "toybox", "prompts": "toybox",
        "prompt_ids": ["blue-duck"], "metrics": ["ground_truth"], "baseline": method, "methods": {method: {}},
        "steps": steps, "render": {"resolution": 8}, "evaluation": {"views": 1, "resolution": 8},
        "scene": {"name": scene},
        "divergence": {"opaque_opacity": 1.0, "empty_opacity": 0.0, "frozen_change": 0.0},
    }  # fmt: skip
    return expand(parse_study(fields | more, where="rows"))[0]


@pytest.mark.parametrize("method", methods.names())
def test_rows_are_those_of_a_run(method: str) -> None:
    cell = _cell(method)
    outcome = run_cell(cell, cached_prior("toybox", "mode"))
    assert outcome.record.failure is None
    counted = count_steps(cell, has_latents=False)
    assert [(event.unet_rows, event.unet_calls) for event in counted.events] == [
        (event.unet_rows, event.unet_calls) for event in outcome.events
    ]
    networks = ("unet", "adapted")
    rows = sum(rows for request, rows in counted.rows.items() if request.network in networks)
    assert rows * STEPS == pytest.approx(outcome.record.unet_rows)
    calls = sum(calls for request, calls in counted.calls.items() if request.network in networks)
    assert calls * STEPS == pytest.approx(outcome.record.unet_calls)


def test_perp_neg_has_more_rows_and_a_scene_of_latents_no_encoder() -> None:
    plain = count_steps(_cell("sds"), has_latents=False)
    perpendicular = count_steps(_cell("sds", view_prompts="perp_neg"), has_latents=False)
    unet, encoder = Request("unet", has_gradient=False), Request("encoder", has_gradient=True)
    assert (plain.rows[unet], perpendicular.rows[unet]) == (2, 4)
    assert (plain.calls[unet], perpendicular.largest[unet]) == (1, 4)
    assert plain.rows[encoder] == 1
    latent = count_steps(_cell("sds", scene="latent"), has_latents=True)
    assert latent.rows == {unet: 2}


def test_a_trained_copy_and_a_decoded_target_are_requests_of_their_own() -> None:
    vsd = count_steps(_cell("vsd"), has_latents=False)
    assert vsd.rank == 4
    assert vsd.rows[Request("adapted", has_gradient=False)] == 1
    assert vsd.rows[Request("adapted", has_gradient=True)] == 1
    hifa = count_steps(_cell("hifa"), has_latents=False)
    assert hifa.rows[Request("decoder", has_gradient=False)] == 1


def test_a_trained_conditioning_has_a_gradient() -> None:
    lods = count_steps(_cell("lods"), has_latents=False)
    assert lods.rows[Request("unet", has_gradient=False)] == 2
    assert lods.rows[Request("unet", has_gradient=True)] == 1
    assert lods.rank == 0


def test_sdi_inverts_in_fewer_steps_as_t_falls() -> None:
    """int(10 t) steps of two rows and one prediction, t falling from 1 to 0.2, whatever the number of steps."""
    rows = [event.unet_rows for event in count_steps(_cell("sdi", steps=100_000), has_latents=False).events]
    assert len(rows) == 64
    assert rows == sorted(rows, reverse=True)
    assert (rows[0], rows[-1]) == (2 * 9 + 2, 2 * 2 + 2)

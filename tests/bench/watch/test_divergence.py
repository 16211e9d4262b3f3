from __future__ import annotations

import math

import pytest

from bench.study.settings import DivergenceSettings
from bench.watch.divergence import Status, Watch

SETTINGS = DivergenceSettings(patience=5)


@pytest.mark.parametrize("quantity", ["loss", "mean opacity"])
def test_a_number_that_is_not_finite_is_told_at_once(quantity: str) -> None:
    numbers = {"loss": 1.0, "opacity": 0.3, "filled": 0.4}
    numbers["loss" if quantity == "loss" else "opacity"] = math.nan
    found = Watch(SETTINGS).observe(7, **numbers)
    assert found is not None
    assert (found.status, found.step, found.quantity, found.value) == (Status.NAN, 7, quantity, None)


@pytest.mark.parametrize(("status", "opacity", "filled"), [("empty", 0.001, 0.001), ("opaque", 0.7, 0.99)])
def test_opacity_out_of_bounds_needs_patience(status: str, opacity: float, filled: float) -> None:
    watch = Watch(SETTINGS)
    found = [watch.observe(step, loss=1.0, opacity=opacity, filled=filled) for step in range(5)]
    assert found[:4] == [None] * 4
    assert found[4] is not None
    assert (found[4].status, found[4].steps_out_of_bounds, found[4].step) == (status, 5, 4)
    assert found[4].value == (opacity if status == "empty" else filled)


def test_one_good_step_starts_the_count_anew() -> None:
    watch = Watch(SETTINGS)
    opacities = [0.0] * 4 + [0.2] + [0.0] * 4
    found = [watch.observe(step, loss=1.0, opacity=opacity, filled=opacity) for step, opacity in enumerate(opacities)]
    assert found == [None] * 9


def test_frozen_parameters() -> None:
    watch = Watch(SETTINGS)
    assert watch.observe_change(4, 1e-3) is None
    frozen = watch.observe_change(9, 0.0)
    assert frozen is not None
    assert frozen.status is Status.FROZEN
    broken = watch.observe_change(9, math.nan)
    assert broken is not None
    assert (broken.status, broken.quantity) == (Status.NAN, "relative change of the parameters")


def test_parameters_that_are_not_finite_are_named_at_once() -> None:
    for names, quantity in ((["a.b"], "parameter a.b"), (["a", "b", "c"], "parameters a, b, c")):
        found = Watch(SETTINGS).observe(7, loss=1.0, opacity=0.3, filled=0.4, broken=names)
        assert found is not None
        assert (found.status, found.step, found.quantity, found.value) == (Status.NAN, 7, quantity, None)


def test_the_result_is_judged_without_patience() -> None:
    watch = Watch(SETTINGS)
    assert watch.judge_result(100, opacity=0.2, filled=0.3) is None
    for opacity, filled, status in ((0.0, 0.0, "empty"), (0.7, 1.0, "opaque"), (math.nan, math.nan, "nan")):
        found = watch.judge_result(100, opacity=opacity, filled=filled)
        assert found is not None
        assert (found.status, found.step) == (status, 100)


def test_bounds_of_zero_and_one_turn_the_checks_off() -> None:
    watch = Watch(DivergenceSettings(patience=1, empty_opacity=0.0, opaque_opacity=1.0, frozen_change=0.0))
    assert watch.observe(0, loss=1.0, opacity=0.0, filled=0.0) is None
    assert watch.observe(1, loss=1.0, opacity=1.0, filled=1.0) is None
    assert watch.observe_change(1, 0.0) is None


def test_a_scene_that_cannot_be_anything_but_opaque_is_not_judged_by_it() -> None:
    watch = Watch(DivergenceSettings(patience=1))
    assert watch.observe(0, loss=1.0, opacity=1.0, filled=None) is None
    assert watch.judge_result(1, opacity=1.0, filled=None) is None
    found = watch.judge_result(1, opacity=math.nan, filled=None)
    assert found is not None
    assert found.status is Status.NAN


def test_evidence_reads_as_a_sentence() -> None:
    found = Watch(SETTINGS).judge_result(300, opacity=0.002, filled=0.003)
    assert str(found) == ("mean opacity of the evaluation views 0.002 (bound 0.01) for 0 steps, noticed at step 300")

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from closed_form_world import GivenTimes

import bench.cells.optimisation
from bench.cells.optimisation import Optimisation, reach, relative_change, update_size
from bench.study.cell import Cell
from methods.cameras import evaluation_ring, sample_cameras
from methods.contracts import Prior, Rendering, View
from methods.distillation import update_loss
from methods.distillation.sds import SDS
from methods.priors.closed_form.gaussian import GaussianPrior


def test_the_same_cell_takes_the_same_steps(cell: Cell, prior: Prior) -> None:
    def numbers() -> list[tuple[float | None, float | None, float]]:
        return [(event.loss, event.opacity, event.timestep) for event, _ in Optimisation(cell, prior)]

    first = numbers()
    assert len(first) == cell.steps
    assert first == numbers()


def test_two_methods_start_from_the_same_scene_and_see_the_same_cameras(cell: Cell, prior: Prior) -> None:
    other = cell.model_copy(update={"method": "sdi", "hyper_parameters": {}})
    one, two = Optimisation(cell, prior), Optimisation(other, prior)
    assert all(torch.equal(a, b) for a, b in zip(one.scene.parameters(), two.scene.parameters(), strict=True))
    for loop in (one, two):
        for _ in loop:
            pass
    cameras = [sample_cameras(cell.cameras, 1, loop.streams["camera"]).azimuth_deg for loop in (one, two)]
    assert torch.equal(*cameras)


def test_a_step_moves_the_scene_and_counts_the_networks_calls(cell: Cell, prior: Prior) -> None:
    loop = Optimisation(cell, prior)
    before = [parameter.clone() for parameter in loop.scene.parameters()]
    event, divergence = loop.step(0)
    assert divergence is None
    assert event.unet_calls == 1
    assert event.unet_rows >= 1
    assert any(not torch.equal(a, b) for a, b in zip(before, loop.scene.parameters(), strict=True))


def test_large_text_encoders_are_dropped_once_the_texts_are_embedded(cell: Cell) -> None:
    """Else they would be in the optimisation's memory up to its first prediction, for one arm of each prompt."""
    calls: list[str] = []

    class LargePrior(GaussianPrior):
        def embed(self, texts: Sequence[str]) -> torch.Tensor:
            calls.append("embed")
            return super().embed(texts)

        def drop_text_encoders(self) -> None:
            calls.append("drop")

    loop = Optimisation(cell, LargePrior())
    assert calls.count("drop") == 1
    assert calls[-1] == "drop"
    loop.step(0)
    assert calls.count("drop") == 1


def test_the_host_has_its_own_work_done_before_it_waits_for_the_device(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    wait = torch.Tensor.tolist

    def slow_reach(*given: Any) -> float:
        order.append("reach")
        return reach(*given)

    def waiting(self: torch.Tensor) -> Any:
        order.append("wait")
        return wait(self)

    loop = Optimisation(cell, prior)
    monkeypatch.setattr(bench.cells.optimisation, "reach", slow_reach)
    monkeypatch.setattr(torch.Tensor, "tolist", waiting)
    loop.step(0)
    last_wait = len(order) - 1 - order[::-1].index("wait")
    assert order.count("reach") == 1
    assert order.index("reach") < last_wait


def test_several_views_are_one_batch(cell: Cell, prior: Prior) -> None:
    event, _ = Optimisation(cell.model_copy(update={"views_per_step": 3}), prior).step(0)
    assert event.unet_calls == 1
    assert event.unet_rows % 3 == 0


def test_the_change_is_of_all_parameters_together() -> None:
    before = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([[4.0]])}
    after = {"a": torch.tensor([3.0, 0.3]), "b": torch.tensor([[4.4]])}
    assert relative_change(before, after) == pytest.approx(0.1)
    assert relative_change(before, before) == 0.0


@pytest.mark.parametrize(
    "after",
    [
        {"a": torch.zeros(3), "b": torch.ones(1)},
        {"b": torch.ones(1)},
        {"a": torch.zeros(2), "b": torch.ones(1), "c": torch.ones(1)},
    ],
    ids=["grown", "removed", "added"],
)
def test_a_scene_whose_parameters_change_shape_is_not_frozen(after: dict[str, torch.Tensor]) -> None:
    """The parameter with another shape has changed, whatever the others do."""
    assert relative_change({"a": torch.zeros(2), "b": torch.ones(1)}, after) is None


def test_reach_is_the_disc_of_the_ball() -> None:
    # seen from distance d, a ball of radius r fills a disc of half-angle asin(r / d)
    share = math.pi * math.tan(math.asin(1 / 3)) ** 2 / (2 * math.tan(math.radians(20))) ** 2
    assert reach(1.0, evaluation_ring(3), 64) == pytest.approx(share, abs=0.01)
    assert reach(None, evaluation_ring(1), 8) == 1.0


def test_cameras_can_be_taken_in_parts() -> None:
    ring = evaluation_ring(5)
    part = ring[3:7].to(torch.device("cpu"))
    assert part.azimuth_deg.tolist() == ring.azimuth_deg[3:].tolist()
    assert len(part.target) == 2


@pytest.mark.parametrize("views", [1, 3])
def test_a_constant_factor_of_the_update_does_not_change_how_penalties_weigh(cell, prior, views) -> None:
    """The ratio of an update's own gradient to the penalties' is the same for an update ten times as large."""
    latents = torch.randn(views, 3, 16, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    view = View(Rendering(None, latents, latents, latents=latents), evaluation_ring(views), prior)
    update = torch.randn(views, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    one, ten = (float(update_size(update_loss(latents, factor * update), view)) for factor in (1.0, 10.0))
    assert ten == pytest.approx(10 * one)
    assert one == pytest.approx(float(update.square().mean().sqrt()) * 3 * 16 * 16)


def test_relative_penalties_follow_the_update(cell: Cell, prior: Prior) -> None:
    scene = cell.scene | {"penalties": {"sparsity": 0.1}}
    events = {}
    for kind in ("relative", "absolute"):
        loop = Optimisation(cell.model_copy(update={"scene": scene, "penalties": kind}), prior)
        events[kind], _ = loop.step(0)
    assert events["relative"].loss == events["absolute"].loss
    # the update of one view is (2 · loss · latents)^½ of them together
    size = (2 * events["absolute"].loss * 3 * 16 * 16) ** 0.5
    assert events["relative"].regularisation == pytest.approx(events["absolute"].regularisation * size, rel=1e-4)


def test_an_event_has_the_log_snr_of_its_timesteps(cell: Cell, prior: Prior) -> None:
    """The mean over views that have a timestep each, under the prior's own table."""
    own = GivenTimes((100, 300, 800))
    loop = Optimisation(cell.model_copy(update={"views_per_step": 3}), prior)
    loop.method = SDS(schedule=own)
    event, _ = loop.step(0)
    levels = prior.alphas_cumprod[torch.tensor(own.times)].double()
    assert event.timestep == 400
    assert event.log_snr == pytest.approx(float((levels / (1 - levels)).log().mean()))


@pytest.mark.parametrize("method", ["sds", "nfsd", "bridge"])
@pytest.mark.parametrize("kind", ["words", "perp_neg", "none"])
def test_every_text_is_embedded_before_the_first_step(cell: Cell, method: str, kind: str) -> None:
    """A text encoder of billions of parameters is in memory only until then."""
    asked: list[str] = []

    class Listening(GaussianPrior):
        def embed(self, texts):
            asked.extend(texts)
            return super().embed(texts)

    other = cell.model_copy(update={"method": method, "hyper_parameters": {}, "view_prompts": kind})
    loop = Optimisation(other, Listening())
    first = set(asked)
    for elevation_deg in (15.0, 80.0):  # from the sides, and from overhead
        loop.embed(evaluation_ring(8, elevation_deg=elevation_deg))
    assert set(asked) == first


def test_a_prompt_names_the_side_as_the_study_is_set(cell: Cell, prior: Prior) -> None:
    back = evaluation_ring(2)  # front and back
    seen = {}
    for kind in ("words", "perp_neg", "none"):
        seen[kind] = Optimisation(cell.model_copy(update={"view_prompts": kind}), prior).embed(back)
    sides = [prior.embed([f"{cell.prompt}, {side} view"]).sequence[0] for side in ("front", "back")]
    assert torch.equal(seen["words"].positive.sequence, torch.stack(sides))
    torch.testing.assert_close(seen["perp_neg"].positive.sequence, torch.stack(sides))
    assert seen["perp_neg"].perpendicular.weights.shape == (2, 2)
    assert seen["words"].perpendicular is seen["none"].perpendicular is None
    assert torch.equal(seen["none"].positive.sequence, prior.embed([cell.prompt] * 2).sequence)


@pytest.mark.parametrize("kind", ["words", "perp_neg", "none"])
@pytest.mark.parametrize("negative", ["bad", "{prompt}, bad"])
def test_a_negative_prompt_has_the_prompt_and_its_side_where_it_asks_for_it(
    kind: str, negative: str, cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"negative_prompt": negative}
    changes = {"method": "nfsd", "hyper_parameters": settings, "view_prompts": kind}
    loop, asked = Optimisation(cell.model_copy(update=changes), prior), []
    embed = loop.prior.embed
    monkeypatch.setattr(loop.prior, "embed", lambda texts: asked.append(list(texts)) or embed(texts))
    loop.embed(evaluation_ring(2))  # front and back
    filled = negative.replace("{prompt}", cell.prompt)
    expected = [filled, filled]
    if kind == "words" and "{prompt}" in negative:
        expected = [f"{filled}, front view", f"{filled}, back view"]
    assert expected in asked


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_parameters_that_are_not_finite_are_named(
    cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    """At the step that made them so, whatever the patience and whether or not a view shows them."""
    assert cell.steps < cell.divergence.patience
    loop = Optimisation(cell, prior)
    names = [name for name, _ in loop.scene.named_parameters()]

    def after_step(step: int, *_: object) -> None:
        if step == 1:
            with torch.no_grad():
                for name in names[-2:]:
                    loop.scene.get_parameter(name).view(-1)[0] = value

    monkeypatch.setattr(loop.scene, "after_step", after_step)
    found = [divergence for _, divergence in loop]
    assert found[0] is None
    assert found[1] is not None
    assert (found[1].status, found[1].quantity) == ("nan", f"parameters {names[-2]}, {names[-1]}")


def test_finite_parameters_whose_sum_overflows_are_no_divergence(cell: Cell, prior: Prior) -> None:
    loop = Optimisation(cell, prior)
    loop.scene.register_parameter("extra", torch.nn.Parameter(torch.full((4,), 3e38)))
    assert not math.isfinite(loop._parameter_sum())
    assert loop.step(0).divergence is None

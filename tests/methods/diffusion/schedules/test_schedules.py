"""Timestep schedules: their ranges, their fall, and properties that all of them share."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
from pathlib import Path

import pytest
import torch

from methods.diffusion.noise_levels import flow_levels, flow_times
from methods.diffusion.schedules import draw_later, draw_timesteps, schedules, timestep_index
from methods.diffusion.schedules.dreamtime import DreamTime
from methods.diffusion.schedules.flow_time import FlowTime
from methods.diffusion.schedules.linear import Linear
from methods.diffusion.schedules.piecewise import Piecewise
from methods.diffusion.schedules.polyline import Polyline
from methods.diffusion.schedules.sliding import Sliding
from methods.diffusion.schedules.sqrt import SquareRoot
from methods.diffusion.schedules.uniform import Uniform
from methods.diffusion.schedules.warm_up import WarmUp


def drawn(schedule, prior, progress: float, count: int = 4000) -> torch.Tensor:
    return schedule(prior, progress, count, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", schedules.names())
def test_every_schedule_gives_a_timestep_of_the_prior_per_view_and_documents_its_fields(name: str, prior) -> None:
    schedule = schedules[name]
    for progress in (0.0, 0.37, 1.0):
        timesteps = drawn(schedule(), prior, progress, 5)
        assert timesteps.shape == (5,)
        assert timesteps.dtype == torch.int64
        assert 0 <= int(timesteps.min()) <= int(timesteps.max()) < 1000
    source = inspect.getsource(schedule)
    for field in dataclasses.fields(schedule):
        assert '"""' in source[source.index(f"    {field.name}:") :].split("\n    def ")[0]


@pytest.mark.parametrize("name", sorted(set(schedules.names()) - {"piecewise", "polyline"}))
def test_an_impossible_range_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=r"low, .*\(0.9, 0.1\) is not an increasing pair of fractions"):
        schedules[name](low=0.9, high=0.1)


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        (((0.5, 0.0, 1.0),), "is not progress that rises from above 0 to 1"),
        (((0.7, 0.0, 1.0), (0.5, 0.0, 1.0), (1.0, 0.0, 1.0)), r"pieces: \[0.7, 0.5, 1.0\] is not progress"),
        (((1.0, 0.9, 0.1),), r"pieces: \(0.9, 0.1\) is not an increasing pair"),
        ((), r"pieces: \[\] is not progress"),
    ],
)
def test_impossible_pieces_are_named(pieces, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Piecewise(pieces)


def test_uniform_covers_its_range_inclusively_whatever_the_progress(prior) -> None:
    for progress in (0.0, 1.0):
        assert set(drawn(Uniform(0.02, 0.025), prior, progress).tolist()) == set(range(20, 26))


@pytest.mark.parametrize(("progress", "t"), [(0.0, 999), (0.5, 600), (1.0, 200)])
def test_linear_falls_linearly(progress: float, t: int, prior) -> None:
    assert drawn(Linear(0.2, 1.0), prior, progress, 3).tolist() == [t, t, t]


@pytest.mark.parametrize(("progress", "t"), [(0.0, 980), (0.25, 640), (0.49, 504), (1.0, 300)])
def test_square_root_is_half_way_after_a_quarter(progress: float, t: int, prior) -> None:
    assert drawn(SquareRoot(0.3, 0.98), prior, progress, 2).tolist() == [t, t]


@pytest.mark.parametrize(("progress", "highest"), [(0.0, 980), (0.2, 980), (0.21, 500), (1.0, 500)])
def test_piecewise_changes_abruptly(progress: float, highest: int, prior) -> None:
    timesteps = drawn(Piecewise(), prior, progress, 20000)
    assert (int(timesteps.min()), int(timesteps.max())) == (20, highest)


@pytest.mark.parametrize(("progress", "highest"), [(0.0, 980), (0.15, 740), (0.3, 500), (1.0, 500)])
def test_warm_up_shrinks_the_range_linearly(progress: float, highest: int, prior) -> None:
    timesteps = drawn(WarmUp(), prior, progress, 20000)
    assert (int(timesteps.min()), int(timesteps.max())) == (20, highest)


def test_fractions_become_timesteps_without_losing_one_to_rounding(prior) -> None:
    assert [timestep_index(prior, fraction) for fraction in (0.0, 0.2, 0.29, 1.0)] == [0, 200, 290, 999]
    assert set(draw_timesteps(prior, 0.999, 1.0, 50, torch.Generator()).tolist()) == {999}


@pytest.mark.parametrize(("progress", "low", "high"), [(0.0, 500, 980), (0.5, 260, 740), (1.0, 20, 500)])
def test_sliding_moves_both_ends_of_its_range(progress: float, low: int, high: int, prior) -> None:
    seen = drawn(Sliding(), prior, progress)
    assert (int(seen.min()), int(seen.max())) == (low, high)


def test_dreamtime_spends_on_each_timestep_its_weight(prior) -> None:
    """The share of progress above t is that of the weight: 1 from 500 to 800, half of a Gaussian on each side."""

    def weight_above(t: int) -> float:
        below, above = 100 * (math.pi / 2) ** 0.5, 300 * (math.pi / 2) ** 0.5
        upper = above * (math.erf(180 / 300 / 2**0.5) - math.erf(max(t - 800, 0) / 300 / 2**0.5))
        return upper + min(max(800 - t, 0), 300) + below * math.erf(max(500 - t, 0) / 100 / 2**0.5)

    seen = [int(drawn(DreamTime(), prior, step / 200, 1)) for step in range(201)]
    assert (seen[0], seen[-1]) == (980, 20)
    assert seen == sorted(seen, reverse=True)
    for step, t in enumerate(seen[:-1]):
        share = step / 200 * weight_above(20)
        assert weight_above(t + 2) <= share <= weight_above(t - 2) + 1e-9
    assert seen[100] - seen[120] < 0.7 * (seen[180] - seen[199])  # slowly on the plateau, fast below it


def test_dreamtime_with_a_plateau_everywhere_is_linear(prior) -> None:
    flat = DreamTime(plateau=(0.0, 1.0))
    for progress in (0.0, 0.3, 0.77, 1.0):
        assert abs(int(drawn(flat, prior, progress, 1)) - int(drawn(Linear(0.02, 0.98), prior, progress, 1))) <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"plateau": (0.8, 0.5)}, r"plateau: \(0.8, 0.5\) is not an increasing pair"),
        ({"widths": (0.1, 0.0)}, r"widths: \(0.1, 0.0\) is not two positive fractions of T"),
    ],
)
def test_an_impossible_weight_is_named(settings, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DreamTime(**settings)


def test_later_timesteps_are_within_a_share_of_the_way_from_a_bound(prior) -> None:
    generator = torch.Generator().manual_seed(0)
    timesteps = torch.tensor([300, 200, 100, 990]).repeat(2000, 1)
    later = draw_later(prior, timesteps, 0.1, 0.2, generator)
    assert [int(column.min()) for column in later.T] == [300, 200, 100, 990]  # none at and below 0.2 T
    assert [int(column.max()) for column in later.T] == [309, 200, 100, 998]
    assert int(draw_later(prior, torch.tensor([0]), 0.1, 0.2, generator)) == 1


def test_the_polyline_is_that_of_the_code_of_cfd(prior) -> None:
    """Steps of 25 000 and timesteps as its ``t_scheduler.py`` (ec2e289) has them."""
    path = Path(__file__).parents[3] / "golden" / "published" / "cfd_noise.json"
    golden = json.loads(path.read_text(encoding="utf-8"))
    for step, timestep in golden["timesteps"]:
        assert set(drawn(Polyline(), prior, step / 25000, 3).tolist()) == {timestep}
    assert set(drawn(Polyline(), prior, 1.0, 3).tolist()) == {212}


def test_flow_time_is_uniform_in_the_flow_s_unshifted_time(prior) -> None:
    """On a prior with Stable Diffusion's table, whose times are 0.006 apart at the lower bound."""
    table = flow_times(prior.alphas_cumprod.double())
    drawn = table[drawn_of(FlowTime(), prior, 20_000)]
    assert float(drawn.min()) == pytest.approx(3 * 0.02 / 1.04, abs=0.003)
    assert float(drawn.max()) == pytest.approx(3 * 0.7 / 2.4, abs=0.001)
    u = drawn / (3 - 2 * drawn)  # the shift undone
    found = torch.quantile(u, torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64))
    torch.testing.assert_close(found, 0.02 + 0.68 * torch.tensor([0.25, 0.5, 0.75]).double(), rtol=0, atol=0.01)


@pytest.mark.parametrize("time", [0.0, 0.05, 0.3, 0.6, 0.9, 1.0])
def test_flow_time_takes_the_nearest_log_snr_of_any_prior(time: float, prior) -> None:
    prior.alphas_cumprod = flow_levels()[::7].float()  # a coarse table
    wanted = torch.logit(torch.tensor(1.0 - time, dtype=torch.float64)) * 2
    table = torch.logit(prior.alphas_cumprod.double())
    nearest = int((table - wanted.clamp(-100, 100)).abs().argmin())
    assert set(drawn_of(FlowTime(time, time, 1.0), prior, 3).tolist()) == {nearest}


def drawn_of(schedule, prior, count: int) -> torch.Tensor:
    assert schedule.start(prior) == {}
    return drawn(schedule, prior, 0.4, count)


@pytest.mark.parametrize("shift", [0.0, -1.0])
def test_an_impossible_shift_is_named(shift: float) -> None:
    with pytest.raises(ValueError, match=f"shift: {shift} is not a positive number"):
        FlowTime(shift=shift)


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        (((0.0, 0.9),), r"corners: \[0.0\] is not progress that rises from 0 to 1, corner"),
        (((0.1, 0.9), (1.0, 0.1)), "is not progress that rises from 0 to 1"),
        (((0.0, 0.9), (0.5, 0.3), (0.5, 0.2), (1.0, 0.1)), "is not progress that rises"),
        (((0.0, 1.2), (1.0, 0.1)), "corners: 1.2 is not a fraction of T"),
    ],
)
def test_impossible_corners_are_named(corners, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Polyline(corners)

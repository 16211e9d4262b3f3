"""Steps of a cell on a prior without weights, to see what its method asks of the networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast

from bench.cells.optimisation import Optimisation
from bench.forecast.counting_prior import CountingPrior, Request
from bench.study.cell import Cell
from bench.watch.telemetry import Event
from methods.contracts import Prior

#: Most steps that are taken, evenly over the optimisation: the rows of a step can depend on its progress (SDI) and on
#: a draw (ISM).
_STEPS = 64

#: Side of their renders, pixels: no method's requests depend on it.
_SIDE = 4


class CountedSteps(NamedTuple):
    """The requests of a method."""

    rows: Mapping[Request, float]
    """Rows of each request in a mean step."""
    calls: Mapping[Request, float]
    """Batches of each request in a mean step."""
    largest: Mapping[Request, int]
    """Rows of the largest batch of each request."""
    rank: int
    """Rank of the method's adapted copy of the prior, 0 without one."""
    events: list[Event]
    """The events of the steps."""


def count_steps(cell: Cell, *, has_latents: bool) -> CountedSteps:
    """Take steps of the cell's own loop and method, with a flat scene in place of its own.

    Args:
        cell: The cell; with at most 64 steps, each of them is taken, with the draws of a run of the cell.
        has_latents: Whether the cell's scene renders latents.
    """
    steps = min(cell.steps, _STEPS)
    scene = {"name": "latent"} if has_latents else {"name": "image", "side": _SIDE}
    render = cell.render.model_copy(update={"resolution": _SIDE})
    prior = CountingPrior()
    loop = Optimisation(
        cell.model_copy(update={"steps": steps, "scene": scene, "render": render}), cast("Prior", prior)
    )
    events = [loop.step(step).event for step in range(steps)]
    rows, calls = (_mean(counts, steps) for counts in (prior.rows_of, prior.calls_of))
    return CountedSteps(rows, calls, prior.largest, prior.rank, events)


def _mean(counts: Mapping[Request, int], steps: int) -> dict[Request, float]:
    return {request: count / steps for request, count in counts.items()}

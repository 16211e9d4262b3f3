"""The end of an optimisation, and the watch that stops one that has diverged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum

from bench.study.section import Section
from bench.study.settings import DivergenceSettings


class Status(StrEnum):
    """The end of a cell.  ``oom``, ``timeout`` and ``crashed`` say nothing about the method."""

    COMPLETED = "completed"
    """All steps were done and the scene is neither empty nor opaque."""
    EMPTY = "empty"
    """Diverged: the views show next to nothing but background."""
    OPAQUE = "opaque"
    """Diverged: fog; the scene fills nearly everything that it could."""
    NAN = "nan"
    """Diverged: the loss, the opacity, a colour of a view or a parameter is not a finite number."""
    FROZEN = "frozen"
    """Diverged: the parameters no longer move."""
    OOM = "oom"
    """Failed: the machine's memory was not enough."""
    TIMEOUT = "timeout"
    """Failed: the study's time limit for a cell ran out."""
    CRASHED = "crashed"
    """Failed: an exception; its traceback is in the record."""

    @property
    def diverged(self) -> bool:
        """Whether the optimisation itself went wrong."""
        return self in (Status.EMPTY, Status.OPAQUE, Status.NAN, Status.FROZEN)

    @property
    def failed(self) -> bool:
        """Whether the machine or the code ended the cell, which says nothing of the method."""
        return self in (Status.OOM, Status.TIMEOUT, Status.CRASHED)


class Divergence(Section):
    """Why an optimisation counts as diverged, in numbers."""

    status: Status
    """The kind of divergence."""
    step: int
    """Step at which it was noticed; the number of steps where the evaluation views showed it."""
    quantity: str
    """The quantity that was measured."""
    value: float | None
    """The last value, None if it is not a finite number."""
    bound: float | None
    """The bound it crossed, None for ``nan``."""
    steps_out_of_bounds: int
    """For how many steps in a row."""

    def __str__(self) -> str:
        value = "not finite" if self.value is None else f"{self.value:.4g}"
        bound = "" if self.bound is None else f" (bound {self.bound:.4g})"
        return f"{self.quantity} {value}{bound} for {self.steps_out_of_bounds} steps, noticed at step {self.step}"


class Watch:
    """Looks at each step's numbers and says when the optimisation has diverged.

    Opacity is judged, never colour: an empty scene takes the background's colour, whatever that is.  Every
    bound must be crossed for ``patience`` steps in a row, so a thin start or one bad step is no divergence.

    Args:
        settings: The bounds.
    """

    def __init__(self, settings: DivergenceSettings) -> None:
        self.settings = settings
        self._out_of_bounds = {Status.EMPTY: 0, Status.OPAQUE: 0}

    def observe(
        self, step: int, *, loss: float, opacity: float, filled: float | None, broken: Sequence[str] = ()
    ) -> Divergence | None:
        """Judge one step.

        Args:
            step: Its number, from 0.
            loss: The whole loss.
            opacity: Mean opacity of its views, in [0, 1].
            filled: That mean over what an entirely filled scene would have, in [0, 1]; None for a scene that is
                opaque by construction.
            broken: Names of the parameters that are not finite after it.
        """
        for quantity, value in (("loss", loss), ("mean opacity", opacity)):
            if not math.isfinite(value):
                return not_finite(step, quantity)
        if broken:
            return not_finite(step, f"parameter{'s'[: len(broken) - 1]} {', '.join(broken)}")
        for evidence in self._opacity_evidence(step, opacity, filled):
            crossed = self._out_of_bounds[evidence.status] + 1 if _is_crossed(evidence) else 0
            self._out_of_bounds[evidence.status] = crossed
            if crossed >= self.settings.patience:
                return evidence.model_copy(update={"steps_out_of_bounds": crossed})
        return None

    def observe_change(self, step: int, relative_change: float) -> Divergence | None:
        """Judge how far all parameters moved (2-norm, relative) in the last ``patience`` steps."""
        if not math.isfinite(relative_change):
            return not_finite(step, "relative change of the parameters")
        if relative_change >= self.settings.frozen_change:
            return None
        return Divergence(
            status=Status.FROZEN,
            step=step,
            quantity="relative change of the parameters",
            value=relative_change,
            bound=self.settings.frozen_change,
            steps_out_of_bounds=self.settings.patience,
        )

    def judge_result(self, step: int, *, opacity: float, filled: float | None) -> Divergence | None:
        """Judge the evaluation views, for a scene that was lost in its last steps."""
        if not math.isfinite(opacity):
            return not_finite(step, "mean opacity of the evaluation views")
        for evidence in self._opacity_evidence(step, opacity, filled):
            if _is_crossed(evidence):
                quantity = f"{evidence.quantity} of the evaluation views"
                steps = self._out_of_bounds[evidence.status]
                return evidence.model_copy(update={"quantity": quantity, "steps_out_of_bounds": steps})
        return None

    def state_dict(self) -> dict[str, int]:
        """For how many steps each bound has been crossed."""
        return {str(status): steps for status, steps in self._out_of_bounds.items()}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on counting from a ``state_dict``."""
        self._out_of_bounds = {status: state[str(status)] for status in self._out_of_bounds}

    def _opacity_evidence(self, step: int, opacity: float, filled: float | None) -> list[Divergence]:
        return [
            Divergence(status=status, step=step, quantity=quantity, value=value, bound=bound, steps_out_of_bounds=0)
            for status, quantity, value, bound in (
                (Status.EMPTY, "mean opacity", opacity, self.settings.empty_opacity),
                (Status.OPAQUE, "filled share", filled, self.settings.opaque_opacity),
            )
            if value is not None
        ]


def _is_crossed(evidence: Divergence) -> bool:
    if evidence.value is None or evidence.bound is None:
        return False
    return evidence.value < evidence.bound if evidence.status is Status.EMPTY else evidence.value > evidence.bound


def not_finite(step: int, quantity: str) -> Divergence:
    """The divergence ``nan``: a ``quantity`` that is not a finite number was noticed at a step."""
    return Divergence(status=Status.NAN, step=step, quantity=quantity, value=None, bound=None, steps_out_of_bounds=1)

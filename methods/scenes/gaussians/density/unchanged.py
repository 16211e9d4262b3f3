"""No density control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from methods.scenes.gaussians.density import density_controls
from methods.scenes.gaussians.density.density_control import Controller, DensityControl


class UnchangedController(Controller):
    """Does nothing."""

    def after_step(self, scene: Any, **step: Any) -> None:
        """Nothing."""
        return


@density_controls.register("unchanged")
@dataclass(frozen=True)
class Unchanged(DensityControl):
    """The optimiser alone changes the Gaussians."""

    def build(self, count: int) -> Controller:
        """The controller, whatever the number."""
        return UnchangedController()

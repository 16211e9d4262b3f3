"""What the flat scenes have in common: one picture, which every camera sees alike."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from methods.contracts import Rendering
from methods.scenes.settings import demand


class Picture(nn.Module):
    """A scene of one parameter without sides, depth or penalties: all of ``Scene`` but ``render``.

    A picture is opaque everywhere, so a study of one switches that check off (``divergence.opaque_opacity = 1.0``).

    Args:
        values: ``(1 c h w)``, what the parameter starts from.
        learning_rate: Adam's step size.

    Raises:
        ValueError: If ``learning_rate`` is not positive.
    """

    def __init__(self, values: Tensor, learning_rate: float) -> None:
        super().__init__()
        demand(learning_rate > 0, "learning_rate", learning_rate, "a positive number")
        self.values = nn.Parameter(values)
        self.learning_rate = learning_rate

    def parameter_groups(self) -> list[dict[str, Any]]:
        """See :meth:`methods.contracts.Scene.parameter_groups`."""
        return [{"name": "values", "params": [self.values], "lr": self.learning_rate}]

    def regularisation(self, rendering: Rendering, progress: float) -> dict[str, Tensor]:
        """A picture has no penalties."""
        return {}

    def before_step(self, progress: float) -> None:
        """A picture is the same throughout."""

    def after_step(self, step: int, rays: object) -> None:
        """A picture keeps no house."""

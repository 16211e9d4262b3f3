"""The common part of two-dimensional scenes: one image, which every camera sees alike."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from methods.scenes.scene import Scene


class FlatScene(Scene):
    """A scene of one parameter, without sides or depth, which is opaque everywhere.

    Args:
        values: ``(1 c h w)``, the parameter's initial value.
        learning_rate: Adam's step size.
    """

    is_opaque = True

    def __init__(self, values: Tensor, learning_rate: float) -> None:
        super().__init__()
        self.values = nn.Parameter(values)
        self.learning_rate = learning_rate

    def parameter_groups(self) -> list[dict[str, Any]]:
        """One group with the image."""
        return [{"name": "values", "params": [self.values], "lr": self.learning_rate}]

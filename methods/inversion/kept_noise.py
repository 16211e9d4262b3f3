"""Noise that lasts for a whole run, the state of the strategies whose κ depends on the camera and the object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from methods.transfer import to_device


class KeptNoise:
    """Standard normal tensors by name, drawn in the first step and kept in the checkpoint."""

    def __init__(self) -> None:
        self.values: dict[str, Tensor] = {}  # float32

    def state_dict(self) -> dict[str, Any]:
        """The tensors; empty before the first step."""
        return dict(self.values)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue with the tensors of another run."""
        self.values = dict(state)

    def step(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        renewal: float,
        *,
        device: torch.device,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """The tensors of the next step, n ← √(1 − γ)·n + √γ·N(0, I), which stay standard normal.

        Args:
            shapes: Shapes by name.
            renewal: γ in [0, 1]; nothing is drawn after the first step if it is 0.
            device: Device of the tensors.
            generator: The stream that they are drawn from, where it is.
        """
        for name, shape in shapes.items():
            kept = self.values.get(name)
            if kept is not None and renewal == 0:
                self.values[name] = to_device(kept, device)
                continue
            fresh = to_device(torch.randn(shape, generator=generator, device=generator.device), device)
            if kept is not None:
                fresh = (1 - renewal) ** 0.5 * to_device(kept, device) + renewal**0.5 * fresh
            self.values[name] = fresh
        return self.values

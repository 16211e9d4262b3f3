"""Coarse to fine: the levels of an encoding one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from methods.scenes.nerf.encodings import encodings
from methods.scenes.nerf.parts import build_part
from methods.scenes.settings import demand


@encodings.register("progressive_bands")
class ProgressiveBands(nn.Module):
    """Another encoding's features, those of its finer levels held at zero until their time comes.

    The ``ProgressiveBandHashGrid`` of threestudio, with steps turned into progress; the defaults are those of its
    ``sdi.yaml`` (level 8 until step 2000 of 10 000, one more every 500 steps, all 16 from step 6000).  A level that is
    held has no gradient.  The mask is saved with the scene, which therefore renders the same after it is loaded.

    Args:
        encoding: Registered name of the encoding, with as many features on each of its levels.
        settings: Its settings.
        levels: Levels that it has.
        start_level: Levels that are shown from the beginning.
        start: Progress until which no more are shown.
        every: Progress from one more level to the next; the first comes at ``start + every``.
        init: Generator of the encoding's initial features.

    Raises:
        ValueError: If a setting is out of its range.
        UnknownNameError: If there is no such encoding.
    """

    mask: Tensor  # (features,), 0 or 1

    def __init__(
        self,
        *,
        encoding: str = "hash_grid",
        settings: Mapping[str, Any] = MappingProxyType({}),
        levels: int = 16,
        start_level: int = 8,
        start: float = 0.2,
        every: float = 0.05,
        init: torch.Generator,
    ) -> None:
        super().__init__()
        demand(1 <= start_level <= levels, "start_level", start_level, f"from 1 to levels = {levels}")
        demand(0 <= start <= 1, "start", start, "a progress in [0, 1]")
        demand(0 < every <= 1, "every", every, "a progress in (0, 1]")
        self.encoding = build_part(encodings, "settings", encoding, settings, init)
        self.features, self.twice_differentiable = self.encoding.features, self.encoding.twice_differentiable
        demand(self.features % levels == 0, "levels", levels, f"a divisor of the encoding's {self.features} features")
        self.levels, self.start_level, self.start, self.every = levels, start_level, start, every
        self.register_buffer("mask", torch.zeros(self.features, device=init.device))
        self.before_step(0.0)

    def before_step(self, progress: float) -> None:
        """See :class:`methods.scenes.nerf.pacing.Paced`."""
        shown = self.level_at(progress) * (self.features // self.levels)
        self.mask[:shown] = 1.0
        self.mask[shown:] = 0.0

    def level_at(self, progress: float) -> int:
        """How many levels are shown at ``progress``."""
        # the small addend keeps 0.25 - 0.2 from being less than 0.05
        more = int(max(progress - self.start, 0.0) / self.every + 1e-6)
        return min(self.start_level + more, self.levels)

    def forward(self, points: Tensor) -> Tensor:
        """Points ``(n 3)`` of the unit cube to features ``(n features)``."""
        features: Tensor = self.encoding(points)
        return features * self.mask

"""What lies behind a scene."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn

from methods.scenes.nerf.backgrounds import backgrounds


class Background(Protocol):
    """Colours behind a scene.  Implementations are ``torch.nn.Module``s registered in ``backgrounds``."""

    learning_rate: float  # Adam's step size for what it learns

    def __call__(self, directions: Tensor, given: Tensor, *, training: bool) -> Tensor:
        """Colours ``(b 3 h w)`` in [0, 1], or of a shape that broadcasts to it.

        Args:
            directions: ``(b h w 3)``, unit length.
            given: ``(b 3)``, the colours that the caller proposes.
            training: Whether the render is one of the optimisation.
        """
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """What is learned; empty for most."""
        ...


@backgrounds.register("given")
class GivenBackground(nn.Module):
    """One colour for each view, as the caller says.

    Args:
        init: Not used.
    """

    learning_rate = 0.0

    def __init__(self, *, init: torch.Generator) -> None:
        super().__init__()

    def forward(self, directions: Tensor, given: Tensor, *, training: bool) -> Tensor:
        """See :class:`Background`."""
        return given[:, :, None, None]

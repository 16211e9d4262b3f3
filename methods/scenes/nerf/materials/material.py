"""How a surface shows its colour."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from methods.cameras import Cameras
from methods.scenes.nerf.materials import materials


class Lighting(NamedTuple):
    """The light in each view of a batch."""

    positions: Tensor  # (b 3), world units
    lit: Tensor  # (b,) bool, the views that are lit; the others show the colour itself
    textured: Tensor  # (b,) bool, the lit views that show the colour; the others are white


class Material(Protocol):
    """Turns a field's colours into what a camera sees.  Implementations are registered in ``materials``."""

    def light(self, cameras: Cameras, rays: torch.Generator | None) -> Lighting | None:
        """The light of a render, None where every view shows the colour itself and needs no normals.

        Args:
            cameras: On any device.
            rays: Draws the light of a render of the optimisation; None in an evaluation.
        """
        ...

    def shade(self, rgb: Tensor, normals: Tensor, points: Tensor, view: Tensor, lighting: Lighting) -> Tensor:
        """Shaded colours ``(n 3)``.

        Args:
            rgb: ``(n 3)``, the field's.
            normals: ``(n 3)``, unit length, or 0 where none was measured.
            points: ``(n 3)``, world units.
            view: ``(n,)`` int64, the view of each sample.
            lighting: What :meth:`light` gave.
        """
        ...


@materials.register("albedo")
class Albedo(nn.Module):
    """Colours as they are, without light.

    Args:
        init: Not used.
    """

    def __init__(self, *, init: torch.Generator) -> None:
        super().__init__()

    def light(self, cameras: Cameras, rays: torch.Generator | None) -> None:
        """No light."""
        return

    def shade(self, rgb: Tensor, normals: Tensor, points: Tensor, view: Tensor, lighting: Lighting) -> Tensor:
        """The colours."""
        return rgb

"""Colours without light."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.cameras import Cameras
from methods.scenes.nerf.materials import materials
from methods.scenes.nerf.materials.material import Lighting, Material, MaterialModule


@materials.register("albedo")
@dataclass(frozen=True)
class Albedo(Material):
    """The colours of the field, without light."""

    def build(self, generator: torch.Generator) -> AlbedoModule:
        """Nothing to learn."""
        return AlbedoModule()


class AlbedoModule(MaterialModule):
    """Shows the field's colours."""

    def light(self, cameras: Cameras, generator: torch.Generator | None, *, training: bool) -> None:
        """No light."""
        return

    def shade(self, rgb: Tensor, normals: Tensor, points: Tensor, view: Tensor, lighting: Lighting) -> Tensor:
        """The colours."""
        return rgb

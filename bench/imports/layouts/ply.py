"""Files of Gaussians."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bench.errors import InputError
from bench.imports.asset import Asset, AssetImages
from bench.imports.axes import TurnedLayout, Up, unit_sphere
from bench.imports.files import shown
from bench.imports.gaussian_ply import read_gaussians
from bench.imports.layouts import layouts
from bench.imports.single_files import objects_in
from bench.study.settings import EvaluationSettings
from methods.pixels import to_bytes
from methods.scenes.gaussians.composition import LEAST, TILE
from methods.scenes.gaussians.gaussians import Gaussians, GaussianScene
from methods.scenes.gaussians.initialisations.initialisation import Points
from methods.scenes.gaussians.turning import GaussianArrays
from methods.scenes.scene import Output

#: Images in addition to colour and opacity.
_OUTPUTS: tuple[Output, ...] = ("normals",)

#: Most pairs of a tile and a Gaussian: 2 GB.
_MOST_PAIRS = 2**31

#: Opacity of a Gaussian from which it counts for the box around the object.
_SOLID = 0.1


@layouts.register("ply")
@dataclass(frozen=True)
class GaussianPly(TurnedLayout):
    """3D Gaussians rendered from the study's evaluation cameras: FOLDER/PROMPT.ply, or one in FOLDER/PROMPT.

    The files are those of 3D Gaussian Splatting's reference code (GaussianModel.save_ply), binary, degree 0 to 3, as
    ``sdibench export --gaussians`` writes them.  They are drawn on the CPU by the suite's own rasteriser, with the
    low-pass filter of Mip-Splatting: Gaussians smaller than a pixel look fainter than in the reference code's default.
    """

    up: Up = "-y"
    """The file's vertical axis.  With −y, the front is at −z (3D Gaussian Splatting's own scenes; ``sdibench export
    --gaussians``); with y, the front is at +z; with z, it is at +x (threestudio's extensions)."""
    fit: bool = False
    """Whether the middle of the box around the Gaussians with an opacity of at least 0.1 is moved to the origin and the
    farthest of them to distance 1; else coordinates are world units, as single stray Gaussians would shrink the
    object."""

    def assets(self, folder: Path) -> list[Asset]:
        return [Asset(path, names, (path,)) for path, names, _ in objects_in(folder, (".ply",), "file of Gaussians")]

    def images(self, asset: Asset, ring: EvaluationSettings) -> AssetImages:
        [path] = asset.files
        scene = self._scene(path, ring.resolution)
        cameras = ring.cameras()
        background = torch.full((1, 3), ring.background)
        rgb, opacity, normals = [], [], []
        for index in range(ring.views):
            with torch.no_grad():
                found = scene.render(
                    cameras[index : index + 1], resolution=ring.resolution, background=background, outputs=_OUTPUTS
                )
            if found.rgb is None or found.normals is None or not found.rgb.isfinite().all():
                raise InputError(f"{shown(path)}: view {index} has colours that are not finite")
            shown_normals = (found.normals + found.opacity) / 2 + (1 - found.opacity) * ring.background
            rgb.append(to_bytes(found.rgb[0].permute(1, 2, 0)))
            opacity.append(to_bytes(found.opacity[0, 0]))
            normals.append(to_bytes(shown_normals[0].permute(1, 2, 0)))
        return AssetImages(np.stack(rgb), np.stack(opacity), np.stack(normals), tuple(cameras.azimuth_deg.tolist()))

    def _scene(self, path: Path, resolution: int) -> GaussianScene:
        found = read_gaussians(path)
        opacity = 1 / (1 + np.exp(-found.opacity_logits[:, 0].clip(-500, 500)))
        found = GaussianArrays(*(part[opacity >= LEAST] for part in found))  # the others are drawn nowhere
        count = len(found.means)
        if not count:
            raise InputError(f"{shown(path)}: all of its Gaussians are transparent")
        tiles = (-(-resolution // TILE)) ** 2
        if count * tiles > _MOST_PAIRS:
            raise InputError(
                f"{shown(path)}: has {count} Gaussians, more than {_MOST_PAIRS // tiles}, the most that are drawn at "
                f"evaluation.resolution = {resolution}"
            )
        found = found.turned(self.turn)
        if self.fit:
            solid = found.means[opacity[opacity >= LEAST] >= _SOLID]
            middle, factor = unit_sphere(solid if len(solid) else found.means)
            found = found._replace(means=(found.means - middle) * factor, log_scales=found.log_scales + np.log(factor))
        return _build(found)


def _build(found: GaussianArrays) -> GaussianScene:
    parts = {name: torch.from_numpy(np.ascontiguousarray(part)).float() for name, part in found._asdict().items()}
    settings = Gaussians(count=len(found.means))
    scene = GaussianScene(settings, Points(parts["means"]), torch.Generator().manual_seed(0))
    for name, value in parts.items():
        setattr(scene, name, torch.nn.Parameter(value.squeeze(-1) if name == "opacity_logits" else value))
    return scene

"""Files of meshes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bench.errors import InputError
from bench.imports.asset import Asset, AssetImages
from bench.imports.axes import TurnedLayout, unit_sphere
from bench.imports.files import shown
from bench.imports.layouts import layouts
from bench.imports.mesh_file import files_of_mesh, read_meshes
from bench.imports.mesh_rendering import MeshRenderer
from bench.imports.single_files import objects_in
from bench.study.settings import EvaluationSettings
from methods.pixels import to_bytes
from methods.scenes.gaussians.initialisations.point_file import ENDINGS
from methods.settings import require


@layouts.register("mesh")
@dataclass(frozen=True)
class Mesh(TurnedLayout):
    """Meshes rendered from the study's evaluation cameras: FOLDER/PROMPT.glb, .obj or .ply, or one in FOLDER/PROMPT.

    The images are unlit: a texture, colours of vertices or faces, or the material's colour as they are, on both sides
    of each triangle.  Transparency, metal, roughness and emission are left out; a mesh without colours is grey.
    Colours of glTF's vertices and factors are linear, all others those of a screen.  An OBJ is read with the materials
    and textures that it names, which are in its folder or below it.  The rays are Embree's (package embreex, extra
    ``mesh``).
    """

    samples: int = 2
    """Rays along each side of a pixel, whose mean it is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.samples <= 8, "samples", self.samples, "a number from 1 to 8")

    def assets(self, folder: Path) -> list[Asset]:
        return [
            Asset(path, names, files_of_mesh(path, listing))
            for path, names, listing in objects_in(folder, ENDINGS, "mesh")
        ]

    def images(self, asset: Asset, ring: EvaluationSettings) -> AssetImages:
        renderer = self._renderer(asset.files)
        cameras = ring.cameras()
        rgb, opacity, normals = [], [], []
        for index in range(ring.views):
            view = renderer.render(
                cameras[index : index + 1], resolution=ring.resolution, samples=self.samples, background=ring.background
            )
            covered = view.opacity[..., None]
            rgb.append(_image(view.rgb))
            opacity.append(_image(view.opacity))
            normals.append(_image((view.normals + covered) / 2 + (1 - covered) * ring.background))
        return AssetImages(np.stack(rgb), np.stack(opacity), np.stack(normals), tuple(cameras.azimuth_deg.tolist()))

    def _renderer(self, files: tuple[Path, ...]) -> MeshRenderer:
        shape = read_meshes(files)
        middle, factor = np.zeros(3), 1.0
        if self.fit:
            middle, factor = unit_sphere(shape.vertices.numpy() @ self.turn.T)
        try:
            return MeshRenderer(shape, self.turn, middle, factor)
        except ImportError as error:
            raise InputError(f"{shown(files[0])}: rays need the package embreex: pip install '.[mesh]'") from error


def _image(values: np.ndarray) -> np.ndarray:
    return to_bytes(torch.from_numpy(values))

"""Points on the surface of a finished record's scene."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch

from methods.inputs import RecordInput
from methods.scenes.gaussians.initialisations import initialisations
from methods.scenes.gaussians.initialisations.ball import Ball
from methods.scenes.gaussians.initialisations.initialisation import Initialisation, Points
from methods.scenes.gaussians.initialisations.sampling import choose_on_triangles
from methods.scenes.mesh import Mesh, extract_mesh, silhouette_level
from methods.scenes.scene import Scene
from methods.settings import require

#: Points along an edge of the grid that the surface is found on.
RESOLUTION = 64


@initialisations.register("record")
@dataclass(frozen=True)
class OnRecord(Initialisation, RecordInput):
    """On the surface of what another run has made of the same prompt, a NeRF for instance, with its colours.

    The surface is that of ``sdibench export``.

    Raises:
        ValueError: If a setting is out of its range.
    """

    run: str
    """Name of a study, whose run is at ``runs/NAME`` in the current folder, or path of a run folder."""
    arm: str
    """Label of the arm of that run."""
    seed: int | None = None
    """Seed of that run; by default the cell's own."""
    sha256: str = ""
    """SHA-256 of the record's scene, which is filled in; a study may give it, and is refused if it is another."""

    def __post_init__(self) -> None:
        require(bool(self.run), "run", self.run, "the name of a study or the path of a run folder")
        require(bool(self.arm), "arm", self.arm, "the label of an arm of the run")

    def for_cell(self, prompt_id: str, seed: int) -> Self:
        """With the cell's seed, if it has no own one."""
        return replace(self, seed=seed if self.seed is None else self.seed)

    def stand_in(self) -> Ball:
        """A ball."""
        return Ball()

    def made_from(self, scene: Scene) -> OnMesh:
        """The surface whose silhouette is that of the scene's renders.

        Raises:
            ValueError: If the scene has no geometry or no surface.
        """
        volume = scene.volume()
        if volume is None:
            raise ValueError(f"run: {self.run!r} is a run of scenes without geometry ({type(scene).__name__})")
        level = silhouette_level(scene, volume)
        mesh = None if level is None else extract_mesh(volume, resolution=RESOLUTION, level=level)
        if mesh is None:
            raise ValueError(f"run: {self.run!r} is not a run whose scenes have a surface; choose another arm or seed")
        return OnMesh(mesh)

    def points(self, count: int, generator: torch.Generator) -> Points:
        """Refuse, because only the harness knows the record.

        Raises:
            ValueError: Always.
        """
        raise ValueError(f"run: {self.run!r} has to be read first (RecordInput.made_from)")


@dataclass(frozen=True, eq=False)
class OnMesh(Initialisation):
    """Evenly distributed on a mesh, with its colours."""

    mesh: Mesh
    """The mesh, in world units."""

    def points(self, count: int, generator: torch.Generator) -> Points:
        """``count`` points."""
        corners = torch.from_numpy(self.mesh.faces)
        vertices, rgb = torch.from_numpy(self.mesh.vertices), torch.from_numpy(self.mesh.rgb)
        chosen, weights = choose_on_triangles(vertices[corners], count, generator)
        positions, colours = (
            (weights[:, :, None] * values[corners[chosen]]).sum(1).float().to(generator.device)
            for values in (vertices, rgb)
        )
        return Points(positions, colours.clamp(0, 1))

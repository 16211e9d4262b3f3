"""Density and colour of space between Gaussians, from which a mesh is extracted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from methods.scenes.gaussians.harmonics import HARMONIC_0
from methods.scenes.gaussians.rotation import rotation_matrix
from methods.scenes.scene import FieldSample

if TYPE_CHECKING:
    from methods.scenes.gaussians.gaussians import GaussianScene

#: Standard deviations from its centre at which a Gaussian ends, along each of its axes.
_REACH = 3.0

#: Share of the opacity of all Gaussians that the ball holds, and its greatest radius, world units: one Gaussian that
#: has flown away must not make the grid coarse, and the ball must be in front of the cameras.
_HELD, _LARGEST = 0.99, 2.0

#: Blocks along an edge of the cube around the ball: a point looks at the Gaussians that reach into its block.
_BLOCKS = 16

#: Pairs of a point and a Gaussian that are evaluated at once, which takes 100 MB.
_PAIRS_AT_ONCE = 2**21


class OpacityField(nn.Module):
    """The sum of the Gaussians' opacities at a point, and their colours by these weights.

    It is the local density of DreamGaussian (arXiv 2309.16653, section 3.3), with the Gaussians cut at three standard
    deviations.  The scale of such a density has no meaning; the level of a surface is chosen by silhouettes
    (:func:`methods.scenes.mesh.silhouette_level`).  Colours are those of the harmonics of degree 0.

    Args:
        scene: The Gaussians, as they are at the time of each call.
    """

    def __init__(self, scene: GaussianScene) -> None:
        super().__init__()
        self.scene = scene
        self.radius = _radius(scene)

    def forward(self, points: Tensor) -> FieldSample:
        """Density and colour at world points ``(n 3)``; black where there is no Gaussian."""
        colours = (0.5 + HARMONIC_0 * self.scene.harmonics.detach()[:, 0]).clamp(0, 1)
        sums = self._sums(points, torch.cat([torch.ones_like(colours[:, :1]), colours], dim=1))
        return FieldSample(sums[:, 0], sums[:, 1:] / sums[:, :1].clamp(min=1e-12))

    def density(self, points: Tensor) -> Tensor:
        """Density ``(n,)`` at world points ``(n 3)``."""
        return self._sums(points, torch.ones_like(self.scene.means[:, :1]))[:, 0]

    @torch.no_grad()
    def _sums(self, points: Tensor, values: Tensor) -> Tensor:
        """Sums ``(n c)`` of values ``(k c)`` of the Gaussians by their opacity at each point."""
        scene = self.scene
        turn = rotation_matrix(scene.rotations)
        scales = scene.log_scales.exp()
        whitening = turn.mT / scales[:, :, None]  # (k 3 3): a point relative to a Gaussian in its standard deviations
        half = _REACH * (turn.square() @ scales.square()[:, :, None])[..., 0].sqrt()  # of the smallest box around it
        opacity = scene.opacity_logits.sigmoid()
        sums = values.new_zeros(len(points), values.shape[1])
        for where, box in self._blocks(points):
            low, high = box
            near = ((scene.means + half >= low) & (scene.means - half <= high)).all(1).nonzero()[:, 0]
            size = max(1, _PAIRS_AT_ONCE // max(1, len(near)))
            for some in where.split(size) if len(near) else ():
                offset = points[some, None] - scene.means[near]  # (n k 3)
                squared = torch.einsum("kij,nkj->nki", whitening[near], offset).square().sum(-1)
                weights = opacity[near] * torch.exp(-0.5 * squared) * (squared <= _REACH**2)
                sums[some] = weights @ values[near]
        # one that is not a number reaches no box, but makes the field one that is none
        return sums + 0 * (scene.means.sum() + half.sum() + opacity.sum())

    def _blocks(self, points: Tensor) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor]]]:
        """Indices of the points of each block, and the box around these points."""
        cell = ((points / self.radius + 1) / 2 * _BLOCKS).long().clamp(0, _BLOCKS - 1)
        block = (cell[:, 0] * _BLOCKS + cell[:, 1]) * _BLOCKS + cell[:, 2]
        order = block.argsort(stable=True)
        _, counts = block[order].unique_consecutive(return_counts=True)
        for where in order.split(counts.tolist()):
            yield where, points[where].aminmax(dim=0)


@torch.no_grad()
def _radius(scene: GaussianScene) -> float:
    """Radius of the ball around the origin that holds almost all of the Gaussians, world units."""
    farthest = scene.means.norm(dim=1) + _REACH * scene.log_scales.exp().amax(1)
    order = farthest.argsort()
    held = scene.opacity_logits.sigmoid()[order].cumsum(0)
    if not len(held) or not bool(farthest.isfinite().all() & held[-1:].isfinite().all()):
        return _LARGEST
    last = int((held < _HELD * held[-1]).sum())
    return min(_LARGEST, max(1e-3, float(farthest[order[last]])))

"""A fixed number of Gaussians: the dead ones are moved onto others, and positions are shaken.

3D Gaussian Splatting as Markov Chain Monte Carlo, arXiv 2404.09591.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from methods.scenes.gaussians.density import density_controls
from methods.scenes.gaussians.density.density_control import Controller, DensityControl
from methods.scenes.gaussians.density.rows import forget
from methods.scenes.gaussians.rotation import rotation_matrix
from methods.settings import require
from methods.transfer import to_device

if TYPE_CHECKING:
    from methods.scenes.gaussians.gaussians import GaussianScene

#: Slope of the sigmoid by which a Gaussian that can be seen is not shaken, per unit of opacity (the paper's code).
_STEEPNESS = 100.0

#: Points of the integral in :func:`relocated` per standard deviation of a Gaussian times √2: its error is below
#: rounding, because the trapezoidal rule converges exponentially for functions that vanish at both ends.
_POINTS = 16


@density_controls.register("fixed")
@dataclass(frozen=True)
class Relocation(DensityControl):
    """The number of Gaussians is fixed: dead ones are moved onto live ones, and the positions of faint ones are shaken.

    A live one is drawn with a probability in proportion to its opacity.  It and those that were moved onto it then
    share its opacity (eq. 9 of arXiv 2404.09591): the colour in its middle and the sum along a line through it stay.
    Adam's moments of all of them start again from 0 (gsplat: of the live ones alone).

    Raises:
        ValueError: If a setting is out of its range.
    """

    every: int = 100
    """Steps between two relocations (the paper and gsplat: 100)."""
    start: float = 0.0
    """Progress before which nothing is moved, in [0, 1] (gsplat: step 500 of 30000)."""
    end: float = 0.85
    """Progress after which nothing is moved, in [0, 1] (gsplat: step 25000 of 30000)."""
    min_opacity: float = 0.005
    """Opacity below which a Gaussian is dead, and below which none is made (the paper and gsplat: 0.005)."""
    noise: float = 5e5
    """Standard deviation of a step's noise over the step size of the positions and a Gaussian's covariance, 1 / world
    unit (the paper and gsplat: 5e5, with a step size of 1.6e-4); 0 for none."""

    def __post_init__(self) -> None:
        require(self.every >= 1, "every", self.every, "a positive number of steps")
        require(0 <= self.start <= 1, "start", self.start, "a progress between 0 and 1")
        require(self.start <= self.end <= 1, "end", self.end, f"a progress between start ({self.start:g}) and 1")
        require(0 < self.min_opacity < 1, "min_opacity", self.min_opacity, "an opacity between 0 and 1")
        require(self.noise >= 0, "noise", self.noise, "a factor of at least 0")

    def build(self, count: int) -> Controller:
        """The controller, whatever the number."""
        return RelocationController(self)


class RelocationController(Controller):
    """Moves the dead and shakes the faint.

    Args:
        settings: Times and bounds.
    """

    def __init__(self, settings: Relocation) -> None:
        super().__init__()
        self.settings = settings

    @torch.no_grad()
    def after_step(
        self,
        scene: GaussianScene,
        *,
        step: int,
        progress: float,
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> None:
        """Move the dead every few steps; shake the positions after every step."""
        settings = self.settings
        if step > 0 and step % settings.every == 0 and settings.start <= progress <= settings.end:
            self._relocate(scene, optimiser, generator)
        if settings.noise > 0:
            self._shake(scene, optimiser, generator)

    def _relocate(self, scene: GaussianScene, optimiser: torch.optim.Optimizer, generator: torch.Generator) -> None:
        logits, least = scene.opacity_logits, self.settings.min_opacity
        opacities = logits.sigmoid()
        dead = (opacities < least).nonzero()[:, 0]
        # one that is not a number is neither: the watch of the optimisation is to find it
        chances = torch.where(opacities >= least, opacities, 0.0).to(generator.device)
        if len(dead) == 0 or float(chances.sum()) == 0:
            return
        drawn = torch.multinomial(chances, len(dead), replacement=True, generator=generator)
        shares = to_device(1 + drawn.bincount(minlength=len(chances)), logits.device)
        drawn = to_device(drawn, logits.device)
        sources = (shares > 1).nonzero()[:, 0]
        logits[sources], factor = relocated(logits[sources], shares[sources], least)
        scene.log_scales[sources] += factor.log()[:, None]
        for parameter in scene.parameters(recurse=False):
            parameter[dead] = parameter[drawn]
            forget(optimiser, parameter, torch.cat([sources, dead]))

    def _shake(self, scene: GaussianScene, optimiser: torch.optim.Optimizer, generator: torch.Generator) -> None:
        """Noise in the shape of each Gaussian, in proportion to its covariance."""
        [rate] = [group["lr"] for group in optimiser.param_groups if any(p is scene.means for p in group["params"])]
        noise = torch.randn(scene.means.shape, generator=generator, device=generator.device)
        faint = torch.sigmoid(-_STEEPNESS * (scene.opacity_logits.sigmoid() - self.settings.min_opacity))
        axes = rotation_matrix(scene.rotations) * scene.log_scales.exp()[:, None]  # (n 3 3), a column each
        along = axes.mT @ to_device(noise, scene.means)[..., None]
        scene.means.add_(self.settings.noise * rate * faint[:, None] * (axes @ along)[..., 0])


def relocated(logits: Tensor, shares: Tensor, min_opacity: float) -> tuple[Tensor, Tensor]:
    """Opacity and size of Gaussians that take the place of one, all at the same position (arXiv 2404.09591, eq. 9).

    The double sum of eq. 9 is ``Σ_j C(N, j) (−1)^(j+1) o^j / √j``, in which large terms cancel.  It equals
    ``∫ 1 − (1 − o exp(−x²))^N dx / √π``, the opacity along a line through N Gaussians of opacity o, which is computed
    here: for any N, to the last digits.

    Args:
        logits: ``(n,)`` opacities before the sigmoid.
        shares: ``(n,)``, the number N of Gaussians that each is replaced by.
        min_opacity: Least opacity of the new ones.  Where it holds, the middle is more opaque than before, and only the
            sum along a line stays (gsplat).

    Returns:
        The new logits ``(n,)``, and the factors ``(n,)`` on the standard deviations.
    """
    many = shares.double()
    passed = -torch.nn.functional.softplus(logits.double())  # logarithm of what light one lets through
    opacity = (-torch.expm1(passed / many)).clamp(min=min_opacity, max=1 - torch.finfo(logits.dtype).eps)
    end = math.sqrt(math.log(1e17 * max(1.0, float(many.max()) if len(many) else 1.0)))
    x = torch.arange(1, math.ceil(end * _POINTS) + 1, dtype=torch.float64, device=logits.device) / _POINTS
    inside = -torch.expm1(many[:, None] * torch.log1p(-opacity[:, None] * torch.exp(-(x**2))))
    middle = -torch.expm1(many * torch.log1p(-opacity))
    line = (middle + 2 * inside.sum(1)) / (_POINTS * math.sqrt(math.pi))
    factor = -torch.expm1(passed) / line
    return opacity.logit().to(logits), factor.to(logits)

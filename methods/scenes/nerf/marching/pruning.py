"""The samples of a ray that show, found before anything is computed with a gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.scenes.nerf.marching.quadrature import transmittance
from methods.scenes.nerf.marching.samples import Samples
from methods.scenes.nerf.occupancy import OccupancyGrid

#: Opacity below which a step is left out (threestudio's ``prune_alpha_threshold``), and remaining light below which
#: the steps behind are (nerfacc's own default).
LEAST_OPACITY, LEAST_LIGHT = 0.01, 1e-4


@torch.no_grad()
def visible(samples: Samples, density: Tensor, occupancy: OccupancyGrid, step: float) -> Samples:
    """The samples that are neither transparent nor hidden, as nerfacc's ``OccGridEstimator.sampling`` keeps them.

    A sample whose density is not a number is kept: a broken field must show in the render.

    Args:
        samples: Samples in equal steps.
        density: ``(m,)``, per world unit.
        occupancy: Its mean opacity replaces the bound on the opacity if it is lower, so that a thin scene is never
            pruned entirely.
        step: Length of a step, world units.
    """
    least = (step * occupancy.density.mean()).clamp(max=LEAST_OPACITY)
    transparent = -torch.expm1(-density * samples.widths) < least
    hidden = transmittance(density, samples) < LEAST_LIGHT
    return samples.select((~(transparent | hidden)).nonzero()[:, 0])

"""The volume rendering integral by quadrature (Max 1995; NeRF, arXiv 2003.08934, eq. 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.scenes.nerf.marching.samples import Samples


def transmittance(density: Tensor, samples: Samples) -> Tensor:
    """The share of light that reaches each sample, ``T_i = exp(-Σ_{j<i} sigma_j delta_j)``.

    Args:
        density: ``(m,)``, per world unit.
        samples: Where it was measured; space between them is empty.
    """
    rays, strata = samples.shape
    slots = samples.ray * strata + samples.stratum
    depth = density * samples.widths
    # A dense table costs less than it looks, and a running sum over packed rays would lose float32 digits.
    table = depth.new_zeros(rays * strata).index_copy(0, slots, depth).view(rays, strata)
    return torch.exp(-(table.cumsum(-1) - table)).flatten().index_select(0, slots)


def weights(density: Tensor, samples: Samples) -> Tensor:
    """The share of each sample in its pixel, ``T_i (1 - exp(-sigma_i delta_i))``; a ray's sum is its opacity."""
    return transmittance(density, samples) * -torch.expm1(-density * samples.widths)


def accumulate(values: Tensor, samples: Samples) -> Tensor:
    """Sum ``values`` ``(m c)`` over each ray's samples, ``(rays c)``."""
    return values.new_zeros(samples.shape[0], values.shape[1]).index_add(0, samples.ray, values)

"""Renders of the fixed ring of cameras: those that are scored, and snapshots during the optimisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bench.cells.optimisation import Optimisation
from bench.records.outcome import Images
from methods.cameras import Cameras
from methods.contracts import Rendering, View
from methods.pixels import mark_not_finite, to_bytes
from methods.scenes.scene import Output

#: Views, and pixels, that are rendered at once: few enough for the memory of a small device, normals included.
VIEWS_AT_ONCE, _PIXELS_AT_ONCE = 4, 4 * 128**2

#: Images of a view in addition to colour, opacity and depth.
OUTPUTS: tuple[Output, ...] = ("normals",)


@torch.no_grad()
def render_ring(loop: Optimisation, which: Sequence[int] | None = None) -> tuple[Images, float]:
    """Render views of the scene as it is now; nothing of the optimisation changes.

    Args:
        loop: The optimisation.
        which: Indices of the cameras in the ring; None for all.

    Returns:
        The images, which say whether a colour or an opacity is not finite, and their mean opacity.
    """
    settings = loop.cell.evaluation
    side = settings.resolution
    ring = settings.cameras()
    if which is not None:
        ring = ring[list(which)]
    at_once = max(1, min(VIEWS_AT_ONCE, _PIXELS_AT_ONCE // side**2))
    rgb, opacity, normals = [], [], []
    for first in range(0, len(ring), at_once):
        cameras = ring[first : first + at_once].to(loop.device)
        background = torch.full((len(cameras), 3), settings.background, device=loop.device)
        rendering = loop.scene.render(cameras, resolution=side, background=background, outputs=OUTPUTS)
        rgb.append(_colours(rendering, cameras, loop))
        opacity.append(rendering.opacity.cpu())
        if rendering.normals is not None:
            shown = (rendering.normals + rendering.opacity) / 2 + (1 - rendering.opacity) * settings.background
            normals.append(shown.cpu())
    covered, colours = torch.cat(opacity), torch.cat(rgb)
    images = Images(
        azimuth_deg=ring.azimuth_deg.tolist(),
        rgb=_image(colours),
        opacity=to_bytes(covered[:, 0].nan_to_num(nan=0.0, posinf=1.0, neginf=0.0)),  # the colours have the mark
        normals=_image(torch.cat(normals)) if normals else None,
        is_finite=bool(colours.isfinite().all() and covered.isfinite().all()),
    )
    return images, float(covered.mean())


def _colours(rendering: Rendering, cameras: Cameras, loop: Optimisation) -> torch.Tensor:
    return View(rendering, cameras, loop.prior).rgb.cpu()


def _image(values: torch.Tensor) -> np.ndarray:
    """Colours or normals ``(n 3 h w)`` as uint8 ``(n h w 3)``; a broken scene still gives an image, with marks."""
    return to_bytes(mark_not_finite(values).permute(0, 2, 3, 1))

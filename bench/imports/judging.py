"""Whether imported renders are those of an optimisation that was lost, as far as images show it."""

from __future__ import annotations

import numpy as np
from skimage.color import rgb2lab

from bench.imports.asset import AssetImages
from bench.study.settings import DivergenceSettings
from bench.watch.divergence import Divergence, Status
from metrics.saturation import differs_from_border


def judge(images: AssetImages, bounds: DivergenceSettings) -> Divergence | None:
    """Say whether the renders show next to nothing, or, where their opacity is known, fog that fills the images.

    Opacity is judged by the study's ``bounds``, as its own cells are: the mean over all pixels, since nothing says how
    far the scene could reach.  Images whose every pixel is opaque have a background of their own: as without opacity, a
    pixel belongs to the object where it differs from the colour of the image's border (``metrics.saturation``), and
    only emptiness is judged.
    """
    opacity = images.opacity
    if opacity is not None and opacity.min() < 255:
        share = float(opacity.mean()) / 255
        if share > bounds.opaque_opacity:
            return _divergence(Status.OPAQUE, "mean opacity of the imported views", share, bounds.opaque_opacity)
        what = "mean opacity of the imported views"
    else:
        share = float(np.mean([differs_from_border(rgb2lab(image)).mean() for image in images.rgb]))
        what = "share of pixels unlike the border"
    return _divergence(Status.EMPTY, what, share, bounds.empty_opacity) if share < bounds.empty_opacity else None


def _divergence(status: Status, quantity: str, value: float, bound: float) -> Divergence:
    return Divergence(status=status, step=0, quantity=quantity, value=value, bound=bound, steps_out_of_bounds=0)

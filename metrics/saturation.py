"""Saturation: chroma and lightness of the object, relative to the truth or to the prior's own images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.reference import REFERENCE, find_reference
from metrics.suites import Role, Suite, find_suite
from metrics.views import OPAQUE, Views

#: Distance in CIELAB from the border's colour above which a pixel of an opaque image belongs to the object.
DISTANCE = 10.0


@metrics.register("saturation")
class Saturation:
    """Mean CIELAB chroma √(a*² + b*²) and lightness L* of the object's pixels, relative to a reference.

    Source: CIE 15, as converted by scikit-image's ``rgb2lab`` (illuminant D65, 2° observer).
    """

    columns: tuple[Column, ...] = (
        Column(
            name="saturation", title="Saturation", unit="%", direction="target", target=100, scale=100, decimals=1,
            mean="geometric",
        ),
        Column(
            name="lightness", title="Lightness", unit="%", direction="target", target=100, scale=100, decimals=1,
            mean="geometric", headline=False,
        ),
    )  # fmt: skip
    role: Role | None = None

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self.card = MetricCard(
            columns=self.columns,
            name="saturation",
            title="Saturation",
            checkpoint=f"none ({suite.name})",
            preprocessing="uint8 RGB over the evaluation background at its own size; CIELAB (D65, 2°)",
            description="100 · mean chroma √(a*² + b*²) of the object's pixels / that of the reference; Lightness the "
            "same of L*. The object's pixels have an opacity above one half; where no pixel of the images is "
            "transparent, or no opacity is known, they differ from the median colour of the image's border by more "
            f"than {DISTANCE:g} in CIELAB. A view without such pixels has no value. Pixels at the edge of the object "
            f"are mixed with the background. {REFERENCE}",
            uses_references=True,
        )

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)`` per column; ``{}`` if neither the truth nor samples are known."""
        reference = find_reference(views)
        if reference is None:
            return {}
        seen, true = object_colours(views.rgb, views.opacity), object_colours(reference.rgb, reference.opacity)
        known = ~np.isnan(true).any(axis=1)
        expected = true[known].mean(axis=0) if known.any() else np.full(2, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):  # a grey reference: no ratio, which is NaN in the scores
            ratio = seen / expected
        return {"saturation": ratio[:, 0], "lightness": ratio[:, 1]}


def object_colours(rgb: np.ndarray, opacity: np.ndarray | None) -> np.ndarray:
    """Average the chroma and L* of the object in each image, ``(n, 2)``; NaN for an image without an object.

    Args:
        rgb: Images, uint8 ``(n h w 3)``.
        opacity: Opacities, uint8 ``(n h w)``; None if they are not known.
    """
    from skimage.color import rgb2lab  # takes half a second to import, which looking the metric up should not

    mask = None if opacity is None or (opacity >= OPAQUE).all() else opacity >= OPAQUE
    found = np.full((len(rgb), 2), np.nan)
    for index, image in enumerate(rgb):
        if mask is None:
            lab = rgb2lab(image)
            lab = lab[differs_from_border(lab)]
        else:
            lab = rgb2lab(image[mask[index]])  # a fraction of the pixels, and the conversion is slow
        if len(lab):
            found[index] = np.hypot(lab[:, 1], lab[:, 2]).mean(), lab[:, 0].mean()
    return found


def differs_from_border(lab: np.ndarray) -> np.ndarray:
    """Return the mask ``(h w)`` of the pixels of a CIELAB image ``(h w 3)`` that differ from the colour of its border.

    The colour is the median of the outermost pixels, by channel.
    """
    border = np.concatenate([lab[0], lab[-1], lab[1:-1, 0], lab[1:-1, -1]])
    mask: np.ndarray = np.linalg.norm(lab - np.median(border, axis=0), axis=-1) > DISTANCE
    return mask

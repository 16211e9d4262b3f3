"""Distance to the truth, where it is known: PSNR, SSIM and silhouette IoU, also after the best turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics import metrics
from metrics.alignment import MAX_PSNR_DB, best_turn
from metrics.card import Column, MetricCard
from metrics.suites import Role, Suite, find_suite
from metrics.views import OPAQUE, TruthViews, Views


@metrics.register("ground_truth")
class GroundTruth:
    """Each view against the same view of the best-matching object that fits the prompt.

    The best-matching object has the highest PSNR, averaged over all views.  The aligned columns are about the object
    and the turn in azimuth that have it together, one turn for all views, since no prompt fixes the front.
    """

    columns: tuple[Column, ...] = (
        Column(name="psnr", title="PSNR", unit="dB", group="truth"),
        Column(name="ssim", title="SSIM", group="truth", decimals=3),
        Column(name="iou", title="IoU", unit="%", group="truth", decimals=1, scale=100),
        Column(name="psnr_aligned", title="PSNR aligned", unit="dB", group="truth"),
        Column(name="ssim_aligned", title="SSIM aligned", group="truth", decimals=3, headline=False),
        Column(name="iou_aligned", title="IoU aligned", unit="%", group="truth", decimals=1, scale=100, headline=False),
    )
    role: Role | None = None

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self.card = MetricCard(
            columns=self.columns,
            name="ground_truth",
            title="Ground truth",
            checkpoint=f"none: the truth itself is known ({suite.name})",
            weights_sha256="",
            preprocessing="uint8 RGB over the evaluation background, truth rendered from the same cameras",
            description="Against the object that fits the prompt and has the highest PSNR averaged over the ring. "
            f"PSNR of 8-bit RGB, {MAX_PSNR_DB:g} dB for equal images; SSIM of scikit-image (7 × 7 window, range 255, "
            "mean over channels); IoU of the silhouettes, opacity above one half, 1 where both are empty. Aligned: "
            "the same after the turn in azimuth, by steps of the ring and one for all views, that has the highest PSNR "
            "averaged over the ring, over all objects that fit.",
        )

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)`` per column, or ``{}`` if no truth is known."""
        if not views.truths:
            return {}
        same = best_match(views).seen_from(views.azimuth_deg)
        turned = best_turn(views).truth
        return {
            "psnr": psnr_db(views.rgb, same.rgb),
            "ssim": _ssim(views.rgb, same.rgb),
            "iou": silhouette_iou(views.opacity, same.opacity),
            "psnr_aligned": psnr_db(views.rgb, turned.rgb),
            "ssim_aligned": _ssim(views.rgb, turned.rgb),
            "iou_aligned": silhouette_iou(views.opacity, turned.opacity),
        }


def best_match(views: Views) -> TruthViews:
    """Return the truth with the highest PSNR, averaged over the views; the first of equal ones."""
    return max(views.truths, key=lambda truth: psnr_db(views.rgb, truth.seen_from(views.azimuth_deg).rgb).mean())


def psnr_db(seen: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Compute the PSNR ``(n,)`` of uint8 images ``(n h w 3)``, in dB, at most ``MAX_PSNR_DB``."""
    error = np.square(seen.astype(np.float64) - true).mean(axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        decibels: np.ndarray = np.minimum(10 * np.log10(255.0**2 / error), MAX_PSNR_DB)
    return decibels


def _ssim(seen: np.ndarray, true: np.ndarray) -> np.ndarray:
    from skimage.metrics import (
        structural_similarity,
    )  # takes most of a second to import, which looking the metric up should not

    values = [structural_similarity(*pair, channel_axis=-1, data_range=255) for pair in zip(seen, true, strict=True)]
    return np.array(values, dtype=np.float64)


def silhouette_iou(seen: np.ndarray | None, true: np.ndarray) -> np.ndarray:
    """Compute the IoU ``(n,)`` of uint8 opacities ``(n h w)``; 1 where both are empty, NaN if ``seen`` is not known."""
    if seen is None:
        return np.full(len(true), np.nan)
    a, b = seen >= OPAQUE, true >= OPAQUE
    union = (a | b).sum(axis=(1, 2))
    shared: np.ndarray = np.where(union > 0, (a & b).sum(axis=(1, 2)) / np.maximum(union, 1), 1.0)
    return shared

"""Distance to the truth, where it is known: PSNR, SSIM, silhouette IoU and the Janus rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.suites import Role, Suite, find_suite
from metrics.views import TruthViews, Views

#: PSNR of equal images, for which it is not defined: 8-bit images that differ have less than 97 dB at 64 × 64 pixels.
MAX_PSNR_DB = 100.0

_OPAQUE = 128  # more than half of 255
_FRONT_DEG, _HALF_DEG = 45.0, 90.0


@metrics.register("ground_truth")
class GroundTruth:
    """Each view against the same view of the best-matching object that fits the prompt.

    The best-matching object has the highest PSNR, averaged over all views; every column is about that object.
    """

    columns: tuple[Column, ...] = (
        Column(name="psnr", title="PSNR", unit="dB", group="truth"),
        Column(name="ssim", title="SSIM", group="truth", decimals=3),
        Column(name="iou", title="IoU", unit="%", group="truth", decimals=1, scale=100),
        Column(name="janus", title="Janus", unit="%", direction="lower", group="truth", decimals=1, scale=100),
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
            "mean over channels); IoU of the silhouettes, opacity above one half, 1 where both are empty. Janus: share "
            "of back-half views (|azimuth| > 90°) that look most like a frontal view (|azimuth| ≤ 45°) of the truth, "
            "by mean squared error to all of its views; front-half views have no value.",
        )

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)`` per column, or ``{}`` if no truth is known."""
        if not views.truths:
            return {}
        from skimage.metrics import (
            structural_similarity,
        )  # takes most of a second to import, which looking the metric up should not

        best = best_match(views)
        same = best.seen_from(views.azimuth_deg)
        ssim = [
            structural_similarity(seen, true, channel_axis=-1, data_range=255)
            for seen, true in zip(views.rgb, same.rgb, strict=True)
        ]
        return {
            "psnr": psnr_db(views.rgb, same.rgb),
            "ssim": np.array(ssim, dtype=np.float64),
            "iou": silhouette_iou(views.opacity, same.opacity),
            "janus": janus(views, best),
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


def silhouette_iou(seen: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Compute the IoU ``(n,)`` of uint8 opacities ``(n h w)``; 1 where both are empty."""
    a, b = seen >= _OPAQUE, true >= _OPAQUE
    union = (a | b).sum(axis=(1, 2))
    shared: np.ndarray = np.where(union > 0, (a & b).sum(axis=(1, 2)) / np.maximum(union, 1), 1.0)
    return shared


def janus(views: Views, truth: TruthViews) -> np.ndarray:
    """Return ``(n,)``: for back views 1 if the truth's most similar view is frontal, else 0; NaN for others."""
    azimuth = _off_front(views.azimuth_deg)
    azimuth_of_truth = azimuth if truth.azimuth_deg is None else _off_front(truth.azimuth_deg)
    seen = views.rgb.reshape(len(views), -1).astype(np.float64)
    true = truth.rgb.reshape(len(truth.rgb), -1).astype(np.float64)
    nearest = np.array([np.square(true - image).mean(axis=1).argmin() for image in seen])
    frontal = (azimuth_of_truth[nearest] <= _FRONT_DEG).astype(np.float64)
    scores: np.ndarray = np.where(azimuth > _HALF_DEG, frontal, np.nan)
    return scores


def _off_front(azimuth_deg: np.ndarray) -> np.ndarray:
    """Return the angles away from the front, degrees in [0, 180]."""
    off: np.ndarray = np.abs((azimuth_deg + 180) % 360 - 180)
    return off

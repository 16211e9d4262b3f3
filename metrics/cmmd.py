"""CMMD: how far the views of an asset are from the prior's own images of the prompt, as two sets of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.models.clip import preprocessing_of
from metrics.models.suite_models import suite_clip
from metrics.suites import Role, Suite, find_suite
from metrics.views import Views

Floats = NDArray[np.float64]

#: Bandwidth of the Gaussian kernel, and the factor of the printed number; both as published.
SIGMA, SCALE = 10.0, 1000.0


@metrics.register("cmmd")
class Cmmd:
    """1000 · MMD² of CLIP's image features under the kernel exp(−|x − y|² / (2 · 10²)), without bias.

    Source: Jayasumana et al., arXiv 2401.09603, whose code has the estimator with bias; without it as in Gretton et
    al., JMLR 13 (2012), equation 3.
    """

    columns: tuple[Column, ...] = (Column(name="cmmd", title="CMMD", unit="1000·MMD²", direction="lower"),)
    role: Role | None = "clip"

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self._clip = suite_clip(suite, "clip", device)
        self.card = MetricCard(
            columns=self.columns,
            name="cmmd",
            title="CMMD",
            checkpoint=suite.checkpoint("clip"),
            weights_sha256=self._clip.weights_sha256,
            preprocessing=preprocessing_of(self._clip.image_size, suite.models["clip"].preprocessing),
            description=f"{SCALE:g} · MMD² between the n views of an asset and the prior's m own images of its prompt "
            "(those of the control prior_2d: m is the number of the ring's cameras, with their view words), with the "
            f"kernel exp(−|x − y|² / (2 · {SIGMA:g}²)) on CLIP's unit features in float64. The estimator has no bias, "
            "so it can be below 0, and its mean does not depend on n and m. A view's value is its share: the mean over "
            "an asset's views is the asset's MMD². Published for tens of thousands of images; with a few views it is "
            "noisy: compare means over prompts only. The prior's own images are scored as two "
            "halves, every second image against the others: 0 but for that noise, which shows how large it is. It "
            "asks whether the views look like the prior's images, their backgrounds and cameras included, and is not "
            "comparable with values for another CLIP.",
            uses_samples=True,
        )

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)``; ``{}`` without images of the prior, or with one in a set."""
        if views.samples is None:
            return {}
        own = self._features(views.rgb)
        if np.array_equal(views.rgb, views.samples):  # against itself a set would be below 0 by construction
            return {"cmmd": SCALE * half_shares(own)} if len(own) >= 4 else {}
        samples = self._features(views.samples)
        return {"cmmd": SCALE * mmd2_shares(own, samples)} if min(len(own), len(samples)) >= 2 else {}

    def _features(self, rgb: np.ndarray) -> Floats:
        features: Floats = self._clip.image_features(rgb).double().numpy()
        return features


def mmd2_shares(points: Floats, others: Floats) -> Floats:
    """Compute the share of each of the points ``(n d)`` in their MMD² to the others ``(m d)``, which is their mean.

    With x of the points and y of the others, the unbiased MMD² is the mean of k(x, x′) over the pairs of different x,
    plus that of k(y, y′), minus twice the mean of k(x, y).  The share of x has its own terms of the first and the last
    mean, and the whole of the second.

    Returns:
        float64 ``(n,)``.
    """
    return _mean_of_others(points) + _mean_of_others(others).mean() - 2 * _kernel(points, others).mean(axis=1)


def half_shares(points: Floats) -> Floats:
    """Compute the share of each point ``(n d)`` in the MMD² between every second point and the rest: ``(n,)``.

    Their mean is that MMD².  Here the points of both halves have shares, so each has its term k(x, y) once, not twice.
    """
    shares = np.empty(len(points))
    for first in (0, 1):
        half, other = points[first::2], points[1 - first :: 2]
        own = _mean_of_others(half) - _kernel(half, other).mean(axis=1)
        shares[first::2] = own * len(points) / len(half)
    return shares


def _mean_of_others(points: Floats) -> Floats:
    """Compute the mean kernel of each point ``(n,)`` with the other points, of which there must be one or more."""
    kernel = _kernel(points, points)
    mean: Floats = (kernel.sum(axis=1) - kernel.diagonal()) / (len(points) - 1)
    return mean


def _kernel(x: Floats, y: Floats) -> Floats:
    """Evaluate the kernel ``(n m)`` of points ``(n d)`` and ``(m d)``."""
    squares: Floats = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * x @ y.T
    kernel: Floats = np.exp(-squares / (2 * SIGMA**2))
    return kernel

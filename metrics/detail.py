"""Detail: power of the fine structures of a view, relative to the truth or to the prior's own images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrics import metrics
from metrics.card import Column, MetricCard
from metrics.reference import REFERENCE, find_reference
from metrics.spectrum import Spectrum, octaves, power, spectrum
from metrics.suites import Role, Suite, find_suite
from metrics.views import Views

#: Octaves of the figure of the spectrum, of which the highest ``FINE`` are detail.
OCTAVES = 5
FINE = 2

#: Largest displacement, as a share of the image, that does not count against right detail.
SHIFT = 1 / 32

_BANDS = tuple(f"power_{2**above}" for above in range(OCTAVES, 0, -1))


@metrics.register("detail")
class Detail:
    """Power of the luminance in the two octaves below Nyquist, relative to a reference, and how much of it is right.

    The power is that of a periodogram with a Hann window.  Right detail is the squared coherence of Bendat and Piersol,
    "Random Data", section 6.1, averaged over the frequencies of an octave instead of over segments.
    """

    columns: tuple[Column, ...] = (
        Column(
            name="detail", title="Detail", unit="%", direction="target", target=100, scale=100, decimals=1,
            mean="geometric",
        ),
        Column(name="right_detail", title="Right detail", unit="%", scale=100, decimals=1, group="truth"),
        *(
            Column(
                name=name, title=f"1/{2 ** (OCTAVES - at)}", unit="%", direction="target", target=100, scale=100,
                decimals=1, mean="geometric", group="spectrum", headline=False,
            )
            for at, name in enumerate(_BANDS)
        ),
    )  # fmt: skip
    role: Role | None = None

    def __init__(self, models: str | Suite, device: str = "cpu") -> None:
        suite = find_suite(models)
        self._side = suite.resolution
        self.card = MetricCard(
            columns=self.columns,
            name="detail",
            title="Detail",
            checkpoint=f"none: Nyquist of images of {self._side} × {self._side} pixels, which the prior makes "
            f"({suite.name})",
            preprocessing="uint8 RGB over the evaluation background at its own size; luminance 0.2125 R + 0.7154 G + "
            "0.0721 B without its mean, times a Hann window",
            description="100 · P / P_reference, P = Σ |FFT|² of the luminance over the frequencies from a quarter of "
            f"Nyquist to Nyquist: {self._side / 8:g} to {self._side / 2:g} cycles per image, whatever the size of the "
            "evaluation (its own Nyquist, if it is smaller): the same scene rendered twice or four times as large has "
            "the same value within 10 % of it. 100 is right: blur is below, noise above. "
            f"{REFERENCE} Right detail: the share of the truth's power in these frequencies that the view explains at "
            "its place, Σ_b (Σ_f Re S T̄)₊² / Σ_f |S|² over both octaves b, divided by Σ_b Σ_f |T|², at the best "
            f"displacement of at most 1/{1 / SHIFT:g} of the image: squared coherence, so it does not depend on the "
            "contrast; 100 % for the truth and for its faint copy, near 0 for noise and for invented texture. It "
            "exists where the truth is known, and counts outlines too. The columns power_N are 100 · P / P_reference "
            "of one octave from 1/N of Nyquist up, for the figure of the spectrum; no value where the octave has no "
            "frequency or the reference no power.",
            uses_references=True,
        )

    def score(self, views: Views, prompt: str, candidates: Sequence[str]) -> dict[str, np.ndarray]:
        """Score the views, float64 ``(n,)`` per column; ``{}`` if neither the truth nor samples are known."""
        reference = find_reference(views)
        if reference is None:
            return {}
        height, width = views.rgb.shape[1:3]
        bands = octaves((height, width), min(self._side, height) / 2, OCTAVES)
        seen, right, true = [], [], []
        # one image after the other: the spectra of a ring at 512 × 512 pixels would take a gigabyte
        for index, image in enumerate(views.rgb):
            own = spectrum(image)
            seen.append([power(own, band) for band in bands])
            if reference.is_aligned:
                right.append(explained_share(own, spectrum(reference.rgb[index]), bands[-FINE:]))
        for image in reference.rgb:
            own = spectrum(image)
            true.append([power(own, band) for band in bands])
        powers, expected = np.array(seen), np.array(true).mean(axis=0)
        found = {"detail": _ratio(powers[:, -FINE:].sum(axis=1), float(expected[-FINE:].sum()))}
        if right:
            found["right_detail"] = np.array(right)
        return found | {name: _ratio(powers[:, at], float(expected[at])) for at, name in enumerate(_BANDS)}


def explained_share(seen: Spectrum, true: Spectrum, bands: Sequence[np.ndarray]) -> float:
    """Compute the share of the power of ``true`` in ``bands`` that ``seen`` explains, each band with its own gain.

    The share is the largest over displacements of up to ``SHIFT`` of the image, the same for all bands.

    Args:
        seen: Spectrum of the view, ``(h w)``.
        true: Spectrum of the truth, ``(h w)``.
        bands: Masks of the frequencies, ``(h w)``, symmetric about 0.

    Returns:
        A number in [0, 1]; NaN if ``true`` has no power in the bands.
    """
    total = sum(power(true, band) for band in bands)
    if total == 0:
        return float("nan")
    reach = round(SHIFT * len(seen))
    lags = np.arange(-reach, reach + 1)
    explained = np.zeros((len(lags), len(lags)))
    for band in bands:
        own = power(seen, band)
        if own > 0:
            # the cross-correlation of the two at every displacement, in units of their powers
            correlation = np.fft.ifft2(np.where(band, np.conj(seen) * true, 0)).real * seen.size
            explained += np.square(np.maximum(correlation[np.ix_(lags, lags)], 0)) / own
    return min(1.0, float(explained.max() / total))


def _ratio(values: np.ndarray, reference: float) -> np.ndarray:
    return values / reference if reference > 0 else np.full(len(values), np.nan)

"""The change that clipping to the prior's range of images makes to each method's update, on ground-truth renders.

    python -m bench.measurements.bound_change

prints, for every method, the size of its update with ``bound = "target"`` and ``"all"`` relative to that without
clipping, and the cosine between the two; images and noise are the same.  The study ``ablation_bound`` shows what
becomes of the scenes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.cells.streams import make_streams
from bench.measurements.inversion_error import truths
from methods.contracts import Prior, View, ViewPrompt
from methods.diffusion.bounded import Bound, with_bound
from methods.distillation import methods
from methods.priors.loading import load_prior

REFERENCE: Bound = "none"


@dataclass(frozen=True)
class Options:
    """Options of the measurement."""

    prior: str = "toybox"
    """Name or folder of the prior."""
    images: int = 8
    """Held-out objects, each seen from another azimuth."""
    progress: tuple[float, ...] = (0.1, 0.5, 0.9)
    """Places in the optimisation, from 0 to 1, at which the schedules are evaluated."""
    seed: int = 0
    """Seed of timesteps and noise."""
    threads: int = 1
    """CPU threads."""
    out: Path | None = None
    """CSV file for what is printed."""


def update(
    name: str, prior: Prior, view: View, prompt: ViewPrompt, texts: Sequence[str], progress: float, seed: int
) -> np.ndarray:
    """The gradient ``(b n)`` that the loss of the method ``name`` has for the latents of each image."""
    method = methods[name]().calibrated(prior)
    negative = prior.embed([method.negative_text(text) for text in texts]) if method.negative_prompt else prompt.null
    latents = view.clean.requires_grad_()
    seen = View(view.rendering._replace(rgb=None, latents=latents), view.cameras, prior)
    out = method(
        seen,
        prior=prior,
        prompt=prompt._replace(negative=negative),
        progress=progress,
        streams=make_streams(seed, "bound"),
        state=method.start(prior),
    )
    (gradient,) = torch.autograd.grad(out.loss, latents)
    changed: np.ndarray = gradient.flatten(1).double().numpy()
    return changed


def measure(prior: Prior, options: Options, names: Sequence[str]) -> pd.DataFrame:
    """A row for each method, setting, progress and image: ``method, bound, progress, image, size, cosine``."""
    view, prompt, texts = truths(prior, options.images)
    rows = []
    for name, progress in track(list(product(names, options.progress)), description="update"):
        plain = update(name, with_bound(prior, REFERENCE), view, prompt, texts, progress, options.seed)
        for bound in ("target", "all"):
            clipped = update(name, with_bound(prior, bound), view, prompt, texts, progress, options.seed)
            lengths = np.linalg.norm(plain, axis=1), np.linalg.norm(clipped, axis=1)
            cosine = (plain * clipped).sum(axis=1) / (lengths[0] * lengths[1])
            each = enumerate(zip(lengths[1] / lengths[0], cosine, strict=True))
            rows += [(name, bound, progress, image, size, angle) for image, (size, angle) in each]
    return pd.DataFrame(rows, columns=["method", "bound", "progress", "image", "size", "cosine"])


def main(options: Options) -> None:
    """Measure and print the means over images and progress."""
    torch.set_num_threads(options.threads)
    frame = measure(load_prior(options.prior), options, methods.names())
    means = frame.groupby(["method", "bound"])[["size", "cosine"]].mean()
    if options.out:
        means.round(6).to_csv(options.out)
    found = means.to_dict("index")
    table = Table("method", *(f"{bound}: {what}" for bound in ("target", "all") for what in ("size %", "cosine")))
    for name in methods.names():
        cells = [found[name, bound] for bound in ("target", "all")]
        texts = [(f"{100 * cell['size']:.1f}", f"{cell['cosine']:.3f}") for cell in cells]
        table.add_row(name, *chain.from_iterable(texts))
    Console(width=100).print(table)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

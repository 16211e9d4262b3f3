"""The error of each inversion strategy in eq. 8 of arXiv 2405.15891 on ground-truth renders (its figure 9, right).

    python -m bench.measurements.inversion_error

prints the mean error of every strategy at several timesteps, and its paired difference to random noise with a 95 %
bootstrap interval over images.  Here all strategies see the same images; in the study
``ablation_inversion`` each sees the scene that it has made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from methods.cameras import evaluation_ring, view_words, with_view
from methods.contracts import InversionStrategy, Prior, Rendering, View, ViewPrompt
from methods.diffusion.bounded import Bound, with_bound
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.diffusion.noise_levels import log_snr_on_host
from methods.inversion import fixed_point_error, strategies
from methods.priors.loading import load_prior
from prompts.toybox import all_objects, is_held_out, render_object, with_article
from reports.statistics import prompt_bootstrap

REFERENCE = "random"


@dataclass(frozen=True)
class Options:
    """Options of the measurement."""

    prior: str = "toybox"
    """Name or folder of the prior."""
    bound: Bound = "none"
    """The predictions that are clipped to the prior's range of images."""
    images: int = 16
    """Held-out objects, each seen from another azimuth."""
    timesteps: tuple[int, ...] = (200, 400, 600, 800)
    """Diffusion timesteps."""
    seed: int = 0
    """Seed of the noise and of the bootstrap."""
    threads: int = 1
    """CPU threads."""
    out: Path | None = None
    """CSV file for what is printed."""


def errors(
    prior: Prior, view: View, prompt: ViewPrompt, strategy: InversionStrategy, t: int, noise: torch.Generator
) -> np.ndarray:
    """``fixed_point_error`` of each image of ``view``, ``(b,)``."""
    latents = view.clean
    timesteps = torch.full((len(latents),), t)
    state = strategy.start(prior)
    kappa = strategy(view, timesteps, prior=prior, prompt=prompt, streams={"noise": noise}, state=state)
    noisy = add_noise(prior, latents, kappa, timesteps)
    guided = guided_prediction(prior, noisy, timesteps, prompt, prior.guidance_scale).noise
    return np.array(
        [
            float(fixed_point_error(prior, guided[i : i + 1], kappa[i : i + 1], timesteps[i : i + 1]))
            for i in range(len(latents))
        ]
    )


def truths(prior: Prior, count: int) -> tuple[View, ViewPrompt, list[str]]:
    """A view of ``count`` held-out objects, each from the next azimuth, their prompts and the texts of these."""
    held_out = [toy for toy in all_objects() if is_held_out(toy)]
    toys = held_out[:: max(1, len(held_out) // count)][:count]
    ring = evaluation_ring(len(toys))
    rays = ring.rays(2 * prior.resolution)
    renders = [render_object(toy, rays.origins[i], rays.directions[i]) for i, toy in enumerate(toys)]
    rgb = torch.stack([render.over(1.0) for render in renders])
    texts = [with_view(with_article(toy.name), words) for toy, words in zip(toys, view_words(ring), strict=True)]
    null = prior.null(len(toys))
    view = View(Rendering(rgb, torch.ones_like(rgb[:, :1]), torch.zeros_like(rgb[:, :1])), ring, prior)
    return view, ViewPrompt(prior.embed(texts), null, null), texts


def measure(prior: Prior, options: Options, names: Sequence[str]) -> pd.DataFrame:
    """A row for each strategy, timestep and image: ``strategy, timestep, image, error``."""
    view, prompt, _ = truths(prior, options.images)
    rows = []
    for name, t in track([(name, t) for name in names for t in options.timesteps], description="inversion error"):
        strategy = strategies[name]().calibrated(prior)
        noise = torch.Generator().manual_seed(options.seed)
        found = errors(prior, view, prompt, strategy, t, noise)
        rows += [(name, t, image, error) for image, error in enumerate(found)]
    return pd.DataFrame(rows, columns=["strategy", "timestep", "image", "error"])


def differences(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Mean paired difference to ``REFERENCE`` with its 95 % interval over images, by strategy and timestep."""
    rows = []
    for t, at in frame.groupby("timestep"):
        wide = at.pivot_table(index="image", columns="strategy", values="error")
        for name in wide.columns.drop(REFERENCE):
            gap = (wide[name] - wide[REFERENCE]).to_numpy()
            interval = prompt_bootstrap(gap, seed).interval
            ends = (np.nan, np.nan) if interval.low is None else (interval.low, interval.high)  # of few images
            rows.append((name, t, wide[name].mean(), gap.mean(), *ends))
    return pd.DataFrame(rows, columns=["strategy", "timestep", "error", "difference", "low", "high"])


def main(options: Options) -> None:
    """Measure and print."""
    torch.set_num_threads(options.threads)
    prior = with_bound(load_prior(options.prior), options.bound)
    frame = measure(prior, options, strategies.names())
    gaps = differences(frame, options.seed)
    if options.out:
        reference = (
            frame[frame["strategy"] == REFERENCE].groupby(["strategy", "timestep"], as_index=False)["error"].mean()
        )
        pd.concat([reference, gaps]).round(6).to_csv(options.out, index=False)
    levels = log_snr_on_host(prior.alphas_cumprod).tolist()
    columns = [f"t = {t}\nlog-SNR {levels[t]:+.1f}" for t in options.timesteps]
    table = Table("strategy", *columns, title=f"error of eq. 8, minus {REFERENCE}'s")
    for name in strategies.names():
        cells = []
        for t in options.timesteps:
            mean = frame.loc[(frame["strategy"] == name) & (frame["timestep"] == t), "error"].mean()
            cells.append(f"{mean:.4f}")
            for gap in gaps[(gaps["strategy"] == name) & (gaps["timestep"] == t)].to_dict("records"):
                interval = "" if np.isnan(gap["low"]) else f" [{gap['low']:+.4f}, {gap['high']:+.4f}]"
                cells[-1] += f" ({gap['difference']:+.4f}{interval})"
        table.add_row(name, *cells)
    Console(width=200).print(table)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

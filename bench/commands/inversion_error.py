"""How well each inversion strategy solves eq. 8 of arXiv 2405.15891 on ground-truth renders (its figure 9, right).

    python -m bench.commands.inversion_error

prints the mean error of every strategy at several timesteps, and its paired difference to noise sampled anew with a
95 % bootstrap interval over pictures.  On given pictures the strategies are compared alone; in the study
``ablation_inversion`` each sees the scene that it has made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import bootstrap
from torch import Tensor

from methods.cameras import evaluation_ring, view_words
from methods.contracts import Prior, ViewPrompt
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.inversion import InversionStrategy, fixed_point_error, strategies
from methods.priors import load_prior
from prompts.toybox import all_objects, is_held_out, render_object, with_article

REFERENCE = "random"


@dataclass(frozen=True)
class Options:
    """What is measured."""

    prior: str = "toybox"
    """Name or folder of the prior."""
    pictures: int = 16
    """Held-out objects, each from another side."""
    timesteps: tuple[int, ...] = (200, 400, 600, 800)
    """Diffusion timesteps."""
    seed: int = 0
    """Of the noise, and of the bootstrap."""
    threads: int = 2
    """CPU threads."""


def errors(
    prior: Prior, latents: Tensor, prompt: ViewPrompt, strategy: InversionStrategy, t: int, noise: torch.Generator
) -> np.ndarray:
    """``fixed_point_error`` of each of the clean ``latents`` ``(b c lh lw)``, ``(b,)``."""
    timesteps = torch.full((len(latents),), t, device=latents.device)
    kappa = strategy(latents, timesteps, prior=prior, prompt=prompt, streams={"noise": noise})
    noisy = add_noise(prior, latents, kappa, timesteps)
    guided = guided_prediction(
        prior, noisy, timesteps, positive=prompt.positive, base=prompt.null, scale=prior.guidance_scale
    ).noise
    return np.array(
        [
            float(fixed_point_error(prior, guided[i : i + 1], kappa[i : i + 1], timesteps[i : i + 1]))
            for i in range(len(latents))
        ]
    )


def truths(prior: Prior, count: int) -> tuple[Tensor, ViewPrompt]:
    """Latents of ``count`` held-out objects, each from the next side round, and their prompts."""
    held_out = [toy for toy in all_objects() if is_held_out(toy)]
    toys = held_out[:: max(1, len(held_out) // count)][:count]
    ring = evaluation_ring(len(toys))
    rays = ring.rays(2 * prior.resolution)
    pictures = [render_object(toy, rays.origins[i], rays.directions[i]).over(1.0) for i, toy in enumerate(toys)]
    texts = [f"{with_article(toy.name)}, {words}" for toy, words in zip(toys, view_words(ring), strict=True)]
    null = prior.embed([""] * len(toys))
    return prior.encode(torch.stack(pictures)), ViewPrompt(prior.embed(texts), null, null)


def measure(prior: Prior, options: Options, names: Sequence[str]) -> pd.DataFrame:
    """A row for each strategy, timestep and picture: ``strategy, timestep, picture, error``."""
    latents, prompt = truths(prior, options.pictures)
    rows = []
    for name, t in track([(name, t) for name in names for t in options.timesteps], description="inversion error"):
        strategy = strategies[name]().calibrated(prior)
        noise = torch.Generator().manual_seed(options.seed)
        found = errors(prior, latents, prompt, strategy, t, noise)
        rows += [(name, t, picture, error) for picture, error in enumerate(found)]
    return pd.DataFrame(rows, columns=["strategy", "timestep", "picture", "error"])


def differences(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Mean paired difference to ``REFERENCE`` with its 95 % percentile interval, by strategy and timestep."""
    rows = []
    for t, at in frame.groupby("timestep"):
        wide = at.pivot_table(index="picture", columns="strategy", values="error")
        for name in wide.columns.drop(REFERENCE):
            gap = (wide[name] - wide[REFERENCE]).to_numpy()
            interval = bootstrap((gap,), np.mean, method="percentile", rng=np.random.default_rng(seed))
            rows.append((name, t, wide[name].mean(), gap.mean(), *interval.confidence_interval))
    return pd.DataFrame(rows, columns=["strategy", "timestep", "error", "difference", "low", "high"])


def main(options: Options) -> None:
    """Measure and print."""
    torch.set_num_threads(options.threads)
    prior = load_prior(options.prior)
    frame = measure(prior, options, strategies.names())
    gaps = differences(frame, options.seed)
    table = Table("strategy", *(f"t = {t}" for t in options.timesteps), title=f"error of eq. 8, minus {REFERENCE}'s")
    for name in strategies.names():
        cells = []
        for t in options.timesteps:
            mean = frame.loc[(frame["strategy"] == name) & (frame["timestep"] == t), "error"].mean()
            cells.append(f"{mean:.4f}")
            for gap in gaps[(gaps["strategy"] == name) & (gaps["timestep"] == t)].itertuples():
                cells[-1] += f" ({gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}])"
        table.add_row(name, *cells)
    Console(width=200).print(table)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

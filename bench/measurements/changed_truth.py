"""Scores of the truth after one change: what a metric sees, and what not.

    python -m bench.measurements.changed_truth

renders the first object that fits each prompt of the toybox, changes its views in one way (blurs them, moves the
object, turns it, shows one image from all sides, …), and prints the means over the prompts of what the toybox's metrics
give.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.ndimage import gaussian_filter, zoom

from bench.scores.truth import read_truth, truth_folders
from bench.study.settings import EvaluationSettings
from metrics import metrics
from metrics.views import TruthViews, Views
from prompts import Prompt, load_prompt_set

#: The columns that are printed.
COLUMNS = (
    "clip_score", "quality", "sharpness", "image_reward", "detail", "right_detail", "saturation", "psnr",
    "psnr_aligned", "iou",
)  # fmt: skip
_METRICS = ("clip_score", "clip_iqa", "image_reward", "detail", "saturation", "ground_truth")

#: Views of a truth to colours and opacity, uint8 ``(n h w 3)`` and ``(n h w)``.
Change = Callable[[TruthViews], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Options:
    """Options of the measurement."""

    prompts: int = 16
    """Prompts of the set ``toybox``, from its first."""
    threads: int = 1
    """Torch's threads."""
    out: Path | None = None
    """CSV file of what is printed; None for none."""


def _blur(sigma: float) -> Change:
    return lambda truth: (
        _bytes(gaussian_filter(truth.rgb.astype(float), (0, sigma, sigma, 0))),
        _bytes(gaussian_filter(truth.opacity.astype(float), (0, sigma, sigma))),
    )


def _moved(pixels: int) -> Change:
    return lambda truth: (np.roll(truth.rgb, pixels, 2), np.roll(truth.opacity, pixels, 2))


def _turned(steps: int) -> Change:
    return lambda truth: (np.roll(truth.rgb, steps, 0), np.roll(truth.opacity, steps, 0))


def _larger(truth: TruthViews) -> tuple[np.ndarray, np.ndarray]:
    side = truth.rgb.shape[1]
    rgb = zoom(truth.rgb.astype(float), (1, 1.1, 1.1, 1), order=3)
    opacity = zoom(truth.opacity.astype(float), (1, 1.1, 1.1), order=3)
    first = (rgb.shape[1] - side) // 2
    inside = slice(first, first + side)
    return _bytes(rgb[:, inside, inside]), _bytes(opacity[:, inside, inside])


def _flat(truth: TruthViews) -> tuple[np.ndarray, np.ndarray]:
    count = len(truth.rgb)
    return (
        _bytes(truth.rgb.mean(0, keepdims=True)).repeat(count, 0),
        _bytes(truth.opacity.mean(0, keepdims=True)).repeat(count, 0),
    )


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)


#: The changes by their names in the table.
CHANGES: Mapping[str, Change] = {
    "none": lambda truth: (truth.rgb, truth.opacity),
    "blurred, σ = 1 pixel": _blur(1.0),
    "blurred, σ = 2 pixels": _blur(2.0),
    "moved by 4 pixels": _moved(4),
    "10 % larger": _larger,
    "turned by 15°": _turned(1),
    "mirrored": lambda truth: (truth.rgb[:, :, ::-1].copy(), truth.opacity[:, :, ::-1].copy()),
    "another hue": lambda truth: (truth.rgb[..., [1, 2, 0]], truth.opacity),
    "its front from all sides": lambda truth: (
        truth.rgb[:1].repeat(len(truth.rgb), 0),
        truth.opacity[:1].repeat(len(truth.rgb), 0),
    ),
    "its mean from all sides": _flat,
}


def measure(prompts: Sequence[Prompt], folder: Path) -> pd.DataFrame:
    """Score every change of the truth of every prompt: a row for each, with the means over its views.

    Args:
        prompts: Prompts whose truth is known.
        folder: Folder for the truth's images.
    """
    scorers = [metrics[name]("toybox") for name in _METRICS]
    azimuth_deg = EvaluationSettings().cameras().azimuth_deg.numpy()
    candidates = [prompt.text for prompt in prompts]
    rows = []
    for prompt in track(prompts, "scoring", transient=True):
        truths = [read_truth(each) for each in truth_folders(prompt, EvaluationSettings(), folder)]
        for name, change in CHANGES.items():
            rgb, opacity = change(truths[0])
            views = Views(rgb, opacity, azimuth_deg, truths)
            scores = {
                column: float(np.mean(values))
                for scorer in scorers
                for column, values in scorer.score(views, prompt.text, candidates).items()
                if column in COLUMNS
            }
            rows.append({"change": name, "prompt": prompt.id, **scores})
    return pd.DataFrame(rows)


def means(frame: pd.DataFrame) -> pd.DataFrame:
    """Average over the prompts, by change; geometrically for ratios to the truth's."""
    grouped = frame.drop(columns="prompt").groupby("change", sort=False)
    found = grouped.mean()
    for column in ("detail", "saturation"):
        found[column] = grouped[column].agg(lambda values: np.exp(np.log(values).mean()))
    for column in ("detail", "right_detail", "saturation", "iou"):
        found[column] *= 100
    return found


def main(options: Options) -> None:
    """Measure and print."""
    if options.prompts < 1:
        raise SystemExit(f"--prompts = {options.prompts}: must be at least 1")
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        found = means(measure(load_prompt_set("toybox").prompts[: options.prompts], Path(folder)))
    if options.out:
        found.round(6).to_csv(options.out)
    table = Table("change", *COLUMNS, title="the truth after one change")
    for name, row in found.iterrows():
        table.add_row(str(name), *(f"{row[column]:.1f}" for column in COLUMNS))
    Console(width=200).print(table)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

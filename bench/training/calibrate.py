"""Choose the toybox prior's guidance scale, and whether to clip, on its own 2D samples; write the choice into its card.

Both belong to the prior: they are set here once, before any 3D run, and every method uses them.  The default of a
study's ``bound`` is the choice written in the card of the toybox.

    python -m bench.training.calibrate
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image
from rich.console import Console
from torch import Tensor

from bench.training.classifier import Classifier, classes, load
from bench.training.loop import use_cpu
from methods.contracts import Prior
from methods.diffusion.bounded import Bound, with_bound
from methods.diffusion.sampling import sample_images
from methods.pixels import to_bytes
from methods.priors.loading import load_prior
from methods.weights import read_card, write_card
from prompts.toybox import VIEWS, ToyObject, all_objects, is_held_out, with_article

_BATCH = 20
_RULE = "most samples right in kind, colour, pattern and view at once; not clipped, and the smaller scale, among equals"


@dataclass(frozen=True)
class Options:
    """Settings of the prior's calibration."""

    folder: Path = Path("methods/priors/weights/toybox")
    """The prior's folder of weights."""
    classifier: Path = Path(".cache/classifier.safetensors")
    """The judge, trained if the file is not there."""
    scales: tuple[float, ...] = (1.5, 2.0, 3.0, 4.0, 6.0)
    """Guidance scales to compare."""
    bounds: tuple[Bound, ...] = ("none", "target")
    """Settings of the clipping to compare; samples contain no inversion, so that ``all`` is ``target``."""
    samples: int = 100
    """Samples for each scale."""
    final_samples: int = 200
    """Samples of the figures that go into the card."""
    trial_steps: int = 25
    """DDIM steps where scales are compared."""
    steps: int = 50
    """DDIM steps of the figures that go into the card."""
    seed: int = 0
    """Seed of the prompts and the noise."""
    threads: int = 2
    """CPU threads."""


def calibrate(options: Options) -> None:
    """Compare the scales, choose one, measure it on fresh samples and write card and sample sheet."""
    use_cpu(options.threads)
    prior, judge = load_prior(str(options.folder)), load(options.classifier)
    trials = {}
    for bound, scale in product(options.bounds, options.scales):
        images, wanted = sample(with_bound(prior, bound), scale, options.samples, options.trial_steps, options.seed)
        trials[bound, scale] = recognised(judge, images, wanted)
        Console().print(f"bound {bound}, scale {scale}: {trials[bound, scale]}")
    bound, best = max(trials, key=lambda trial: (trials[trial]["all"], trial[0] == "none", -trial[1]))
    images, wanted = sample(with_bound(prior, bound), best, options.final_samples, options.steps, options.seed + 1)
    figures = recognised(judge, images, wanted)
    Console().print(f"chosen {bound}, {best}: {figures} over {options.final_samples} samples of held-out prompts")
    card = {key: value for key, value in read_card(options.folder).items() if key != "files"}
    card.update(
        guidance_scale=best,
        negative_prompt="bad, blurry, noisy, dull, abstract photo",
        held_out={
            "what": f"{options.final_samples} DDIM samples ({options.steps} steps) of held-out prompts; "
            "share that a classifier trained on ground-truth renders only gets right",
            **figures,
        },
        calibration={
            "rule": _RULE,
            "samples": options.samples,
            "bound": bound,
            **{f"{each}, {scale}": trials[each, scale] for each, scale in product(options.bounds, options.scales)},
        },
    )
    _sheet(images[:48]).save(options.folder / "sample_sheet.png")
    write_card(options.folder, **card)


def sample(prior: Prior, scale: float, count: int, steps: int, seed: int) -> tuple[Tensor, list[tuple[ToyObject, str]]]:
    """``(n 3 h w)`` samples of held-out objects in turn, each from a drawn side, and what they should show."""
    toys = [toy for toy in all_objects() if is_held_out(toy)]
    rng = np.random.default_rng(seed)
    order = [toys[index] for index in rng.permutation(len(toys))]
    wanted = [(order[index % len(order)], VIEWS[rng.integers(len(VIEWS))]) for index in range(count)]
    generator = torch.Generator().manual_seed(seed)
    images = []
    for start in range(0, count, _BATCH):
        texts = [f"{with_article(toy.name)}, {view}" for toy, view in wanted[start : start + _BATCH]]
        images.append(sample_images(prior, texts, generator=generator, scale=scale, steps=steps))
    return torch.cat(images), wanted


@torch.no_grad()
def recognised(judge: Classifier, images: Tensor, wanted: list[tuple[ToyObject, str]]) -> dict[str, float]:
    """Share of images whose attributes the judge names as wanted."""
    said = {name: logits.argmax(dim=-1) for name, logits in judge(images).items()}
    right = {
        name: said[name] == torch.tensor([classes(toy)[name] for toy, _ in wanted])
        for name in ("kind", "colour", "pattern")
    }
    right["view"] = said["view"] == torch.tensor([VIEWS.index(view) for _, view in wanted])
    right["kind_and_colour"] = right["kind"] & right["colour"]
    right["all"] = right["kind_and_colour"] & right["pattern"] & right["view"]
    return {name: round(float(hits.float().mean()), 4) for name, hits in right.items()}


def _sheet(images: Tensor) -> Image.Image:
    rows = [torch.cat(list(row), dim=2) for row in images.split(12)]
    sheet = torch.cat(rows, dim=1).permute(1, 2, 0)
    return Image.fromarray(to_bytes(sheet))


if __name__ == "__main__":
    calibrate(tyro.cli(Options))

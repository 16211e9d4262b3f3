"""The prior's own samples, and whether their scores are those of images that show their prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bench.validation.result import Check
from methods.contracts import Prior
from methods.diffusion.sampling import sample_images
from methods.pixels import to_bytes
from methods.priors.pipeline.settings import choose_device
from methods.weights import WeightsError
from metrics import metrics
from metrics.suites import find_suite
from metrics.views import Views

#: Metrics that score the samples.
SCORERS = ("clip_score", "clip_iqa", "image_reward")

#: The range of the mean score of a handful of samples, by suite.  The toybox's is about its prior's row in the quick
#: study; that of Stable Diffusion 2.1 is a wide one about what is published of it: CLIP ViT-B/32 about 31 for samples
#: of captions, CLIP-IQA of photographs over 50 %, and 98 % of ImageReward's values within ±2 (its authors).
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "toybox": {"clip_score": (55.0, 90.0), "quality": (60.0, 100.0), "image_reward": (0.0, 3.0)},
    "sd21": {"clip_score": (26.0, 40.0), "quality": (40.0, 100.0), "image_reward": (-1.5, 2.0)},
}


def check_samples(
    prior: Prior, prompts: Sequence[str], suite: str, *, sampling_steps: int, candidates: Sequence[str]
) -> Check:
    """Sample an image for each prompt and score them.

    Args:
        prior: The diffusion prior.
        prompts: Texts.
        suite: The suite of scorer models.
        sampling_steps: DDIM steps of a sample.
        candidates: All texts of the prompt set.
    """
    generator = torch.Generator().manual_seed(0)
    images = sample_images(prior, prompts, generator=generator, scale=prior.guidance_scale, steps=sampling_steps)
    if not bool(images.isfinite().all()):
        return Check(passed=False, note="an image is not a finite number; try SDIBENCH_DTYPE=float32")
    values: dict[str, float | str | None] = {"standard deviation of the pixels": float(images.std())}
    rgb = to_bytes(images.permute(0, 2, 3, 1))
    opaque = np.full(rgb.shape[:3], 255, dtype=np.uint8)
    found: dict[str, list[float]] = {}
    try:
        device = choose_device(uses_gpu=find_suite(suite).uses_gpu)
        for name in SCORERS:
            scorer = metrics[name](suite, device)
            for index, prompt in enumerate(prompts):
                one = slice(index, index + 1)
                scores = scorer.score(Views(rgb[one], opaque[one], np.zeros(1), ()), prompt, candidates)
                for column, each in scores.items():
                    found.setdefault(column, []).append(float(each.mean()))
    except WeightsError as error:
        return Check(passed=None, note=f"sampled, not scored: {error}", values=values)
    values |= {column: float(np.mean(each)) for column, each in found.items()}
    right = RANGES.get(suite, {})
    outside = [name for name, (low, high) in right.items() if not low <= float(values[name] or 0.0) <= high]
    ranges = ", ".join(f"{name} in [{low:g}, {high:g}]" for name, (low, high) in right.items())
    note = f"{len(prompts)} samples of {sampling_steps} DDIM steps; right: {ranges or 'no ranges known for this suite'}"
    if outside:
        note += f"; outside: {', '.join(outside)}"
    return Check(passed=not outside if right else None, note=note, values=values)

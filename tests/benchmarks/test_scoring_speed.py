"""The batch loop of scoring against the scorers alone, at the size of a full table of imported images."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from bench.scores.scoring import score_view_sets
from bench.scores.view_set import ViewSet
from bench.study.settings import EvaluationSettings
from metrics import metrics
from metrics.models import clip
from prompts import load_prompt_set

#: Prompts × arms, and the views of each asset.
SETS, VIEWS, SIDE = 43 * 8, 50, 512

#: Assets on disk, which the sets share in turn.
ASSETS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of about 250 kB, as large as those of a render with some texture."""
    path = tmp_path_factory.mktemp("assets")
    draws = np.random.default_rng(0)
    for asset in range(ASSETS):
        coarse = draws.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        base = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)).astype(np.int16)
        for view in range(VIEWS):
            rgb = np.roll(base, 10 * view, axis=1) + draws.integers(-2, 3, base.shape)
            rgb[:, :100] = 255
            Image.fromarray(rgb.clip(0, 255).astype(np.uint8)).save(path / f"{asset}_{view:03}.png")
    return path


@pytest.mark.full_size
def test_the_loop_keeps_95_percent_of_the_scorers_rate(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minutes on two cores that are free: one scores, the others decode the next images."""
    monkeypatch.setattr(clip, "_KEPT_SETS", 1)  # the same images come again and again
    prompts = load_prompt_set("toybox").prompts
    candidates = [prompt.text for prompt in prompts]
    scorers = [metrics[name]("toybox") for name in ("clip_score", "clip_iqa", "image_reward", "r_precision")]
    sets = [
        ViewSet(
            identity=str(index),
            scores=tmp_path / str(index),
            prompt=prompts[index % len(prompts)],
            azimuth_deg=tuple(range(VIEWS)),
            rgb=tuple(folder / f"{index % ASSETS}_{view:03}.png" for view in range(VIEWS)),
            opacity=None,
            ring=EvaluationSettings(views=VIEWS, resolution=SIDE),
            truths=None,
        )
        for index in range(SETS)
    ]
    read = [views.read() for views in sets[:ASSETS]]

    def seconds_of_scorers(first: int, count: int) -> float:
        start = time.perf_counter()
        for index in range(first, first + count):
            for scorer in scorers:
                scorer.score(read[index % ASSETS], sets[index].prompt.text, candidates)
        return (time.perf_counter() - start) / count

    before = seconds_of_scorers(0, 32)
    start = time.perf_counter()
    score_view_sets(sets, scorers, candidates, Console(quiet=True), "sets")
    loop = (time.perf_counter() - start) / SETS
    alone = (before + seconds_of_scorers(0, 32)) / 2
    print(f"\nscorers alone {VIEWS / alone:.1f} images/s, in the loop {VIEWS / loop:.1f}: {alone / loop:.3f}")  # noqa: T201
    assert alone / loop >= 0.95

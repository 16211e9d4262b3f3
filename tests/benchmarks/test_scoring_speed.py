"""The batch loop of scoring against the scorers alone, at the size of a full table of imported images."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import psutil
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
@pytest.mark.timeout(3600)
def test_the_loop_keeps_95_percent_of_the_scorers_rate(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scoring thread's processor time, and where two cores are free, the rate: one scores, the other decodes."""
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

    def times_of_scorers(count: int) -> np.ndarray:
        start = _times()
        for index in range(count):
            for scorer in scorers:
                scorer.score(read[index % ASSETS], sets[index].prompt.text, candidates)
        return (_times() - start) / count

    free = (os.cpu_count() or 1) * (1 - psutil.cpu_percent(5) / 100)
    before = times_of_scorers(32)
    start = _times()
    score_view_sets(sets, scorers, candidates, Console(quiet=True), "sets")
    loop = (_times() - start) / SETS
    alone = (before + times_of_scorers(32)) / 2
    rate, share = alone / loop
    print(  # noqa: T201
        f"\nscorers alone {VIEWS / alone[0]:.1f} images/s, in the loop {VIEWS / loop[0]:.1f}: {rate:.3f}, by processor "
        f"time of the thread {share:.3f}; {free:.1f} cores were free"
    )
    assert share >= 0.95
    if free > 1.8:
        assert rate >= 0.95


def _times() -> np.ndarray:
    """Wall time and processor time of this thread, seconds."""
    return np.array([time.perf_counter(), time.thread_time()])

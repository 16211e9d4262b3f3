"""Synthetic studies: large, small, tiny, without a completed cell, and with labels that are longer than a panel."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from reports.frames import ReportFrames

METHODS = ("sds", "sjc", "vsd", "nfsd", "ism", "hifa", "esd", "sdi")
LONG = (
    "without-conditional-inversion-under-the-prompt-and-with-negative-guidance",
    "without-annealing-of-the-timestep-over-the-whole-of-the-optimisation-and-everything-else-that-was-added",
    "a_$b^x_label_of_90_characters_without_a_single_place_where_a_line_could_well_be_broken_in_it",
    "sdi",
)
LOST = {("sds", f"p{i}"): "empty" for i in range(8)} | {
    ("sjc", "p3"): "nan",
    ("vsd", "p4"): "oom",
    ("vsd", "p5"): "opaque",
    ("ism", "p3"): "frozen",
    ("hifa", "p9"): "crashed",
    ("esd", "p9"): "timeout",
}


def _prompts(count: int) -> dict[str, str]:
    return {f"p{i}": f"prompt {i}" for i in range(count)}


def _spread(frames: ReportFrames) -> ReportFrames:
    """Methods that differ in quality and in cost, as those of a study do."""
    rng = np.random.default_rng(7)
    effect = dict(zip(frames.methods, rng.normal(0, 1.5, len(frames.methods)), strict=True))
    cost = {method: 2.0 ** (index % 5) for index, method in enumerate(frames.methods)}
    hard = {prompt: rng.normal(0, 2.4) for prompt in frames.prompts}
    shift = frames.scores["method"].map(effect) + frames.scores["prompt_id"].map(hard)
    graded = ~frames.scores["metric"].isin(["extra_faces", "clip_top1"])
    scores = frames.scores.assign(value=frames.scores["value"] + shift.where(graded, 0.0))
    times = {name: frames.cells[name] * frames.cells["method"].map(cost) for name in ("optimise_seconds", "unet_rows")}
    return dataclasses.replace(frames, scores=scores, cells=frames.cells.assign(**times))


@pytest.fixture(scope="session")
def cases(make_frames: Callable[..., ReportFrames]) -> dict[str, ReportFrames]:
    """Frames by name; none has images on disk."""
    everything = {"views": 2, "snapshots": True, "controls": True, "images": False}
    lost = make_frames(
        prompts=_prompts(3), statuses={(m, f"p{i}"): "nan" for m in ("sds", "sdi") for i in range(3)}, **everything
    )
    nothing: dict[str, pd.DataFrame] = {name: getattr(lost, name).iloc[:0] for name in ("scores", "snapshots")}
    small = _spread(
        make_frames(
            methods=("sds", "nfsd", "ism", "sdi"),
            prompts=_prompts(4),
            statuses={("ism", "p2"): "empty", ("sds", "p3"): "oom"},
            **everything,
        )
    )
    two = small.metric_columns["metric"].isin(["clip_score", "psnr"])
    return {
        "large": _spread(make_frames(methods=METHODS, prompts=_prompts(43), statuses=LOST, **everything)),
        "small": small,
        "two-metrics": dataclasses.replace(small, metric_columns=small.metric_columns.assign(headline=two)),
        "one": make_frames(methods=("sds",), prompts=_prompts(1), **everything),
        "lost": dataclasses.replace(lost, **nothing),
        "long": _spread(
            make_frames(methods=LONG, prompts=_prompts(7), statuses={(LONG[0], "p2"): "empty"}, **everything)
        ),
        "seeds": _spread(
            make_frames(
                methods=("sds", "sdi"), prompts=_prompts(8), seeds=(0, 1), statuses={("sdi", "p2"): "nan"}, **everything
            )
        ),
    }

"""A synthetic study: frames with images on disk, in the format of the harness."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reports.frames import GROUND_TRUTH, ReportFrames

CARD = json.dumps(
    {"title": "CLIP-IQA", "checkpoint": "toy", "weights_sha256": "ab" * 32, "version": 2}
    | {"preprocessing": "uint8 RGB to 32 pixels"}
)
METRICS = [
    ("clip_score", "CLIP", "", "higher", 2, 1.0, None, "image", True, None),
    ("quality", "quality", "%", "higher", 1, 1.0, CARD, "image", True, None),
    ("sharpness", "sharpness", "%", "higher", 1, 1.0, CARD, "image", True, None),
    ("image_reward", "ImageReward", "", "higher", 2, 1.0, None, "image", True, None),
    ("clip_top1", "CLIP top-1", "%", "higher", 0, 100.0, None, "image", True, None),
    ("psnr", "PSNR", "dB", "higher", 2, 1.0, None, "truth", True, None),
    ("extra_faces", "Extra faces", "%", "lower", 0, 100.0, None, "truth", True, None),
]
PROMPTS = {"red-car": "a red striped car", "blue-duck": "a blue duck", "mug": "a green mug"}
CONTROLS = {
    "blank": ("blank image", 18.0),
    "noise": ("pixel noise", 20.0),
    "other_prompt": ("render of another prompt", 24.0),
    "prior_2d": ("the prior's own images", 34.0),
}
FramesFactory = Callable[..., ReportFrames]


def _size(method: str) -> dict[str, float]:
    """A number that the labels ``sds-16``, ``sds-32`` carry, as the arms of a sweep do."""
    number = method.rpartition("-")[2]
    return {"value": float(number)} if number.isdigit() else {}


def _save_noise(shapes: Mapping[Path, tuple[int, ...]], rng: np.random.Generator) -> None:
    for path, shape in shapes.items():
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(path)


def _snapshots(cells: list[dict[str, Any]]) -> list[dict[str, object]]:
    """Two views of each cell at the start and after 10, 25 and 40 of its 50 steps, better and better."""
    rng = np.random.default_rng(1)
    return [
        {key: cell[key] for key in ("cell", "method", "prompt_id", "seed")}
        | {"step": step, "seconds": cell["optimise_seconds"] * step / 50, "view": view, "metric": metric}
        | {"value": 20.0 + step / 5 + float(rng.normal(0, 2))}
        for cell in cells
        for step in (0, 10, 25, 40)
        for view in range(2)
        for metric in ("clip_score", "image_reward")
    ]


def _controls(prompts: Mapping[str, str]) -> list[dict[str, object]]:
    rng = np.random.default_rng(2)
    return [
        {
            "control": control,
            "title": title,
            "prompt_id": prompt_id,
            "prompt": prompt,
            "view": view,
            "azimuth_deg": 180.0 * view,
        }
        | {"metric": metric, "value": float(rng.normal(level, 1)), "rgb_path": f"{control}.png"}
        for control, (title, level) in CONTROLS.items()
        for prompt_id, prompt in prompts.items()
        for view in range(2)
        for metric in ("clip_score", "quality", "image_reward")
    ]


@pytest.fixture(scope="session")
def make_frames(tmp_path_factory: pytest.TempPathFactory) -> FramesFactory:
    """Factory of frames; ``statuses`` maps (method, prompt id) to statuses other than ``completed``."""

    def make(
        *,
        methods: Sequence[str] = ("sds", "sdi"),
        prompts: Mapping[str, str] = PROMPTS,
        seeds: Sequence[int] = (0,),
        views: int = 8,
        side: int = 8,
        statuses: Mapping[tuple[str, str], str] | None = None,
        snapshots: bool = False,
        controls: bool = False,
        images: bool = True,
    ) -> ReportFrames:
        rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("images")
        azimuths = np.arange(views) * 360.0 / views
        azimuths = np.where(azimuths > 180, azimuths - 360, azimuths)
        rows: dict[str, list[dict[str, object]]] = {"cells": [], "scores": [], "events": [], "views": []}
        for prompt_id, prompt in prompts.items():
            ids = [("", GROUND_TRUTH, 0)] + [(f"{m}-{prompt_id}-{s}", m, s) for m in methods for s in seeds]
            for cell, method, seed in ids:
                key = {"cell": cell, "method": method, "prompt_id": prompt_id, "seed": seed}
                for view, azimuth in enumerate(azimuths):
                    rgb, opacity = (folder / f"{k}-{method}-{prompt_id}-{seed}-{view}.png" for k in "ro")
                    _save_noise({rgb: (side, side, 3), opacity: (side, side)} if images else {}, rng)
                    at = {"view": view, "azimuth_deg": azimuth}
                    rows["views"].append({**key, **at, "rgb_path": str(rgb), "opacity_path": str(opacity)})
                    rows["views"][-1]["normal_path"] = None
                    if method == GROUND_TRUTH:
                        continue
                    for metric, *_ in METRICS:
                        value = float(rng.normal(30, 5))
                        if metric in ("extra_faces", "clip_top1"):
                            value = float(value > 30)
                        if metric == "extra_faces" and abs(azimuth) < 90:
                            value = float("nan")
                        rows["scores"].append({**key, **at, "prompt": prompt, "metric": metric, "value": value})
                if method == GROUND_TRUTH:
                    continue
                status = (statuses or {}).get((method, prompt_id), "completed")
                seconds = float(rng.uniform(30, 60))
                rows["cells"].append(
                    {**key, "prompt": prompt, "status": status, "steps": 50, "seconds": seconds + 9}
                    | {"provenance": "measured"}
                    | {"optimise_seconds": seconds, "peak_bytes": int(rng.integers(1e9, 2e9)), "peak_kind": "rss"}
                    | {"reserved_bytes": None, "energy_joules": None, "attempts": 1, "prior_sha256": "ab" * 32}
                    | {
                        "mesh_path": None,
                        "unet_calls": 100,
                        "unet_rows": 400,
                        "device": "a CPU",
                        "git_commit": "c0ffee",
                    }
                    | {"settings": json.dumps({"method": method.split("-")[0], "size": _size(method)})}
                    | {"git_dirty": False, "folder": "x", "failure": None if status == "completed" else f"is {status}"}
                )
                rows["events"] += [
                    {**key, "step": step, "loss": float(rng.uniform(0.1, 1)), "timestep": 500, "log_snr": -1.0}
                    | {
                        "opacity": float(rng.uniform()),
                        "fixed_point_error": 0.1 * step,
                        "seconds": float(step),
                        "unet_calls": 2 * step,
                    }
                    for step in range(50)
                ]
        rows |= {"snapshots": _snapshots(rows["cells"])} if snapshots else {}
        rows |= {"controls": _controls(prompts)} if controls else {}
        names = ["metric", "title", "unit", "direction", "decimals", "scale", "card", "group", "headline", "target"]
        return ReportFrames(
            **{name: pd.DataFrame(content) for name, content in rows.items()},
            metric_columns=pd.DataFrame(METRICS, columns=names).assign(mean="arithmetic"),
        )

    return make


@pytest.fixture(scope="session")
def as_imported() -> Callable[..., ReportFrames]:
    """Function that turns an arm into an imported one, with renders of some prompts only, as the harness has it."""
    nothing = [
        "steps", "seconds", "optimise_seconds", "peak_bytes", "peak_kind", "reserved_bytes", "energy_joules",
        "attempts", "prior_sha256", "unet_calls", "unet_rows", "device", "git_commit",
    ]  # fmt: skip

    def change(frames: ReportFrames, method: str, prompts: Sequence[str]) -> ReportFrames:
        cells = frames.cells.astype(object)
        mine = cells["method"] == method
        cells.loc[mine, nothing] = None
        cells.loc[mine, "provenance"] = "imported"
        cells.loc[mine, "settings"] = json.dumps({"label": method, "method": "imported", "layout": {"name": "frames"}})
        kept = cells[~mine | cells["prompt_id"].isin(prompts)]
        events = frames.events[frames.events["method"] != method]
        scores = frames.scores[frames.scores["cell"].isin(kept["cell"])]
        return dataclasses.replace(frames, cells=kept, events=events, scores=scores)

    return change

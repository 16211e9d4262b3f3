"""A run folder of many finished and scored cells, made in seconds: real records, and files that are hard links."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from bench.records.outcome import Images, Outcome
from bench.records.record import RECORD_FILE, Record
from bench.records.store import RunStore
from bench.scores.tables import TABLES, table_of, write_frame
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import load_study
from bench.watch.divergence import Status
from bench.watch.environment import describe_environment
from bench.watch.telemetry import Event, Memory, PhaseSeconds
from methods.cameras import evaluation_ring
from metrics.card import Column, MetricCard
from prompts import load_prompt_set
from reports.frames import SCORES

#: The methods, steps, views and metrics of `toybox_short` on prompts that have no ground truth to be rendered.
STUDY = """
title = "Many cells"
extends = "toybox_short"
prompts = "sdi43"
prompt_ids = {prompts}
seeds = {seeds}
"""

#: What its metrics measure of a view.
METRICS = ("clip_score", "quality", "sharpness", "real", "quality_margin", "sharpness_margin", "real_margin",
           "image_reward", "clip_top1", "psnr", "ssim", "iou", "extra_faces")  # fmt: skip


def write_finished_run(folder: Path, count: int) -> RunStore:
    """A run of ``count`` cells, a multiple of 100: 24 views of 64 pixels, 200 steps and 13 scores a view each."""
    path = folder.with_name(f"{folder.name}.toml")
    prompts = [prompt.id for prompt in load_prompt_set("sdi43").prompts[:25]]
    path.write_text(STUDY.format(prompts=prompts, seeds=list(range(count // 100))))
    study = load_study(path)
    cells = expand(study)
    assert len(cells) == count
    store = RunStore(folder)
    store.open(study)
    written = store.write(_outcome(cells[0]))
    first = store.cell_folder(cells[0])
    for cell in cells[1:]:
        target = store.cell_folder(cell)
        (target / "views").mkdir(parents=True)
        for name in written.file_bytes:
            os.link(first / name, target / name)
        record = written.model_copy(update={"cell": cell, "identity": cell.identity})
        (target / RECORD_FILE).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    _scores(cells).to_parquet(folder / "scores.parquet", index=False)
    for name in ("snapshots", "controls"):
        write_frame(table_of([], TABLES[name]), folder / f"{name}.parquet")
    card = MetricCard(
        name="many",
        title="Drawn numbers",
        checkpoint="none",
        preprocessing="none",
        description="Random numbers in the shape of scores, to measure how long a report takes.",
        columns=tuple(Column(name=name, title=name) for name in METRICS),
    )
    columns = pd.DataFrame([column.model_dump() for column in card.columns]).rename(columns={"name": "metric"})
    columns.assign(card=card.model_dump_json()).to_parquet(folder / "metric_columns.parquet", index=False)
    return store


def _outcome(cell: Cell) -> Outcome:
    values = np.random.default_rng(0)
    events = [
        Event(
            step=step, loss=float(values.random()), regularisation=float(values.random()),
            timestep=float(values.integers(20, 980)), log_snr=float(values.random()),
            opacity=float(values.random()), seconds=float(values.random()),
            unet_calls=11, unet_rows=21,
            diagnostics={"fixed_point_error": float(values.random()), "inversion_error": float(values.random())},
        )
        for step in range(cell.steps)
    ]  # fmt: skip
    record = Record(
        identity=cell.identity,
        cell=cell,
        status=Status.COMPLETED,
        steps_done=cell.steps,
        seconds=PhaseSeconds(prepare=0.5, optimise=20.0, evaluate=2.0),
        memory=Memory(kind="rss", peak_bytes=10**9, reserved_bytes=None, since="cell"),
        unet_calls=11 * cell.steps,
        unet_rows=21 * cell.steps,
        started_at="2026-01-01T00:00:00+00:00",
        environment=describe_environment(torch.device("cpu")),
    )
    side = cell.evaluation.resolution
    rgb = np.zeros((cell.evaluation.views, side, side, 3), np.uint8)
    azimuth_deg = evaluation_ring(cell.evaluation.views).azimuth_deg.tolist()
    return Outcome(record, events, Images(azimuth_deg, rgb, rgb[..., 0]), {"density": torch.zeros(1000)})


def _scores(cells: list[Cell]) -> pd.DataFrame:
    views = cells[0].evaluation.views
    rows = views * len(METRICS)
    shared = {
        "cell": [cell.identity for cell in cells],
        "method": [cell.label for cell in cells],
        "prompt_id": [cell.prompt_id for cell in cells],
        "prompt": [cell.prompt for cell in cells],
        "seed": [cell.seed for cell in cells],
    }
    columns = {name: np.repeat(np.array(values, object), rows) for name, values in shared.items()}
    azimuth_deg = evaluation_ring(views).azimuth_deg.numpy().astype(float)
    columns |= {
        "seed": columns["seed"].astype(int),
        "view": np.tile(np.arange(views), len(cells) * len(METRICS)),
        "azimuth_deg": np.tile(azimuth_deg, len(cells) * len(METRICS)),
        "metric": np.tile(np.repeat(np.array(METRICS, object), views), len(cells)),
        "value": np.random.default_rng(1).random(rows * len(cells)),
    }
    return pd.DataFrame(columns)[list(SCORES)]

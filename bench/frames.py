"""The data frames that a report is made of, from the records of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import InputError
from bench.record import Record
from bench.store import EVENTS_FILE, RunStore, read_events
from bench.truth import truth_folders
from prompts import Prompt
from reports import ReportFrames
from reports.frames import CELLS, CONTROLS, EVENTS, GROUND_TRUTH, SCORES, SNAPSHOTS, VIEWS

SCORE_COLUMNS = tuple(SCORES)
SNAPSHOT_COLUMNS = tuple(SNAPSHOTS)
CONTROL_COLUMNS = tuple(CONTROLS)


def build_frames(records: Sequence[Record], prompts: Sequence[Prompt], store: RunStore) -> ReportFrames:
    """The frames of a run, also written as Parquet beside its records.

    Raises:
        InputError: If the run has not been scored yet, or a table cannot be read.
    """
    identities = [record.identity for record in records]
    scores = _read_frame(store.folder / "scores.parquet")
    snapshots = _read_or_empty(store.folder / "snapshots.parquet", SNAPSHOT_COLUMNS)
    controls = _read_or_empty(store.folder / "controls.parquet", CONTROL_COLUMNS)
    frames = ReportFrames(
        cells=_cells(records, store),
        scores=scores[scores["cell"].isin(identities)],
        events=_events(records, store),
        views=_views(records, prompts, store),
        metric_columns=_read_frame(store.folder / "metric_columns.parquet"),
        snapshots=snapshots[snapshots["cell"].isin(identities)],
        controls=controls.assign(rgb_path=[str(store.folder / path) for path in controls["rgb_path"]]),
    )
    for name in ("cells", "events", "views"):
        write_frame(getattr(frames, name), store.folder / f"{name}.parquet")
    return frames


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write Parquet so that a reader sees the old file or the new one."""
    partial = path.with_name(f".partial-{path.name}")
    frame.to_parquet(partial, index=False)
    partial.replace(path)


def _read_frame(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path}: is missing; score the run first (sdibench score {path.parent})")
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); score the run again") from error


def _read_or_empty(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """What a run has that was scored since there are such tables; no rows for one scored before."""
    return _read_frame(path) if path.is_file() else pd.DataFrame(columns=list(columns))


def _cells(records: Sequence[Record], store: RunStore) -> pd.DataFrame:
    rows = []
    for record in records:
        why = record.divergence or (record.failure and f"{record.failure.kind}: {record.failure.message}")
        rows.append(
            _who(record)
            | {
                "prompt": record.cell.prompt,
                "settings": record.cell.model_dump_json(),
                "status": str(record.status),
                "steps": record.steps_done,
                "seconds": record.seconds.total,
                "optimise_seconds": record.seconds.optimise,
                "peak_bytes": record.memory.peak_bytes,
                "peak_kind": record.memory.kind,
                "reserved_bytes": record.memory.reserved_bytes,
                "energy_joules": record.energy_joules,
                "attempts": record.attempts,
                "prior_sha256": record.cell.prior_sha256,
                "mesh_path": None,
                "unet_calls": record.unet_calls,
                "unet_rows": record.unet_rows,
                "device": record.environment.device,
                "git_commit": record.environment.git_commit,
                "git_dirty": record.environment.git_dirty,
                "folder": str(store.cell_folder(record.cell)),
                "failure": str(why) if why else None,
            }
        )
    return pd.DataFrame(rows, columns=list(CELLS))


def _events(records: Sequence[Record], store: RunStore) -> pd.DataFrame:
    """One row for each step; seconds and network calls are added up from the start of the cell."""
    rows: list[dict[str, Any]] = []
    for record in records:
        seconds, calls = 0.0, 0
        events = read_events(store.cell_folder(record.cell)) if EVENTS_FILE in record.file_bytes else []
        for event in events:
            seconds, calls = seconds + event.seconds, calls + event.unet_calls
            step = event.model_dump(include={"step", "loss", "timestep", "opacity"})
            error = event.diagnostics.get("fixed_point_error")
            rows.append(_who(record) | step | {"fixed_point_error": error, "seconds": seconds, "unet_calls": calls})
    frame = pd.DataFrame(rows, columns=list(EVENTS))
    return frame.astype({"loss": "float64", "opacity": "float64", "fixed_point_error": "float64"})


def _views(records: Sequence[Record], prompts: Sequence[Prompt], store: RunStore) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for record in records:
        folder = store.cell_folder(record.cell)
        for index, view in enumerate(record.views):
            paths = {
                "rgb_path": str(folder / view.rgb),
                "opacity_path": str(folder / view.opacity),
                "normal_path": str(folder / view.normals) if view.normals else None,
            }
            rows.append(_who(record) | {"view": index, "azimuth_deg": view.azimuth_deg} | paths)
    for prompt in prompts:
        like = next((record for record in records if record.cell.prompt_id == prompt.id and record.views), None)
        if like is not None:
            rows.extend(_truth_rows(prompt, like, store))
    return pd.DataFrame(rows, columns=list(VIEWS))


def _truth_rows(prompt: Prompt, like: Record, store: RunStore) -> list[dict[str, Any]]:
    """The views of the first object that fits the prompt, from the cameras of ``like``."""
    folders = truth_folders(prompt, like.cell.evaluation, store.folder / "truth")
    return [
        {
            "cell": "",
            "method": GROUND_TRUTH,
            "prompt_id": prompt.id,
            "seed": like.cell.seed,
            "view": index,
            "azimuth_deg": view.azimuth_deg,
            "rgb_path": str(folder / f"rgb_{index:03}.png"),
            "opacity_path": str(folder / f"opacity_{index:03}.png"),
            "normal_path": None,
        }
        for folder in folders[:1]
        for index, view in enumerate(like.views)
    ]


def _who(record: Record) -> dict[str, Any]:
    cell = record.cell
    return {"cell": record.identity, "method": cell.label, "prompt_id": cell.prompt_id, "seed": cell.seed}

"""Views that are scored together: those of a cell, of a snapshot of it, or of a control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from bench.errors import InputError
from bench.records.record import Record, RecordedView, Snapshot
from bench.records.store import RunStore
from bench.scores.truth import read_picture, read_truth, truth_folders
from bench.study.settings import EvaluationSettings
from metrics.views import Views
from prompts import Prompt


@dataclass(frozen=True)
class ViewSet:
    """Pictures of one scene, not read yet."""

    identity: JsonValue
    """Everything that the pictures depend on, for the key of their scores."""
    scores: Path
    """Folder of their scores."""
    prompt: Prompt
    """What they should show."""
    azimuth_deg: tuple[float, ...]
    """Of each view."""
    rgb: tuple[Path, ...]
    """Files of the colours."""
    opacity: tuple[Path, ...]
    """Files of the opacity."""
    ring: EvaluationSettings
    """The cameras that the truth is rendered from."""
    truths: Path | None
    """Folder of the truth's pictures; None where the views have no cameras to compare it from."""

    def __len__(self) -> int:
        return len(self.rgb)

    def read(self) -> Views:
        """The pictures, with the truth where the prompt has one; it is rendered where it is not there yet.

        Raises:
            InputError: If a picture cannot be read, or they are not of one size.
        """
        folders = truth_folders(self.prompt, self.ring, self.truths) if self.truths else []
        return Views(
            rgb=_stack(self.rgb),
            opacity=_stack(self.opacity),
            azimuth_deg=np.array(self.azimuth_deg),
            truths=tuple(read_truth(folder) for folder in folders),
        )


def _stack(paths: Sequence[Path]) -> np.ndarray:
    pictures = [read_picture(path) for path in paths]
    if len({picture.shape for picture in pictures}) != 1:
        raise InputError(f"{paths[0].parent}: holds no pictures of one size; move it away and run the study again")
    return np.stack(pictures)


def cell_views(record: Record, prompt: Prompt, store: RunStore) -> ViewSet:
    """The evaluation views of a cell."""
    return _recorded(record, record.views, record.identity, prompt, store)


def snapshot_views(record: Record, snapshot: Snapshot, prompt: Prompt, store: RunStore) -> ViewSet:
    """The views of one of a cell's snapshots."""
    return _recorded(record, snapshot.views, [record.identity, "snapshot", snapshot.step], prompt, store)


def _recorded(
    record: Record, views: Sequence[RecordedView], identity: JsonValue, prompt: Prompt, store: RunStore
) -> ViewSet:
    folder = store.cell_folder(record.cell)
    return ViewSet(
        identity=identity,
        scores=store.folder / "scores" / record.cell.folder_name,
        prompt=prompt,
        azimuth_deg=tuple(view.azimuth_deg for view in views),
        rgb=tuple(folder / view.rgb for view in views),
        opacity=tuple(folder / view.opacity for view in views),
        ring=record.cell.evaluation,
        truths=store.folder / "truth",
    )

"""Views that are scored together: those of a cell, of a snapshot of it, or of a control."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from bench.errors import InputError
from bench.records.reading import read_png
from bench.records.record import AnyRecord, ImportedRecord, RecordedView, Snapshot
from bench.records.store import RunStore
from bench.scores.truth import read_truth, truth_folders
from bench.study.settings import EvaluationSettings
from metrics.views import TruthViews, Views
from prompts import Prompt

#: Images that are decoded at a time: zlib and Pillow run in threads.
_DECODERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True)
class ViewSet:
    """Images of one scene that are on disk."""

    identity: JsonValue
    """Everything that the images depend on, for the key of their scores."""
    scores: Path
    """Folder that caches their scores."""
    prompt: Prompt
    """The prompt that they are scored against."""
    azimuth_deg: tuple[float, ...]
    """Azimuth of each view, degrees."""
    rgb: tuple[Path, ...]
    """Colour images."""
    opacity: tuple[Path, ...] | None
    """Opacity images; None if the renders have none."""
    ring: EvaluationSettings
    """The cameras that the truth is rendered from."""
    truths: Path | None
    """Folder of the truth's images; None if the views have no cameras from which it could be rendered."""
    objects: Path | None = None
    """The same for views that have no cameras: all views of the objects, which belong to none of them."""
    samples: ViewSet | None = None
    """The prior's own images of the prompt, for metrics that are relative to them; None if they are not needed."""
    others: tuple[ViewSet, ...] = ()
    """The same views of the arm's other seeds that completed, in the order of the seeds."""
    texts: tuple[str, ...] | None = None
    """The text of which each image is a draw of its own; None for the views of one scene."""

    def __len__(self) -> int:
        return len(self.rgb)

    def read(self) -> Views:
        """Read the images, and the truth of the prompt if it has one; missing truth is rendered.

        Raises:
            InputError: If an image cannot be read, or they differ in size.
        """
        rgb = _stack(self.rgb)
        samples = _stack(self.samples.rgb) if self.samples else None
        return Views(
            rgb=rgb,
            opacity=_stack(self.opacity) if self.opacity is not None else None,
            azimuth_deg=np.array(self.azimuth_deg),
            truths=self._read_truths(self.truths),
            # renders that were made elsewhere can be of another size, and are then compared with nothing
            objects=[each for each in self._read_truths(self.objects) if each.rgb.shape[1:] == rgb.shape[1:]],
            samples=samples if samples is not None and samples.shape[1:] == rgb.shape[1:] else None,
            others=[_stack(other.rgb) for other in self.others],
            texts=self.texts,
        )

    def _read_truths(self, folder: Path | None) -> tuple[TruthViews, ...]:
        folders = truth_folders(self.prompt, self.ring, folder) if folder else []
        return tuple(read_truth(each) for each in folders)


def _stack(paths: Sequence[Path]) -> np.ndarray:
    """Read images into one array ``(n h w …)``, some at a time, each to its place: never twice in memory."""
    first = read_png(paths[0])
    images = np.empty((len(paths), *first.shape), first.dtype)
    images[0] = first

    def put(index: int) -> None:
        image = read_png(paths[index])
        if (image.shape, image.dtype) != (first.shape, first.dtype):
            raise InputError(f"{paths[0].parent}: has images of different sizes; move it away and run the study again")
        images[index] = image

    with ThreadPoolExecutor(_DECODERS) as decoders:
        list(decoders.map(put, range(1, len(paths))))
    return images


def cell_views(record: AnyRecord, prompt: Prompt, store: RunStore) -> ViewSet:
    """Return the evaluation views of a cell."""
    return _recorded(record, record.views, _images_of(record), prompt, store)


def cell_sets(records: Sequence[AnyRecord], prompts: Mapping[str, Prompt], store: RunStore) -> list[ViewSet]:
    """Return the evaluation views of completed cells, each with those of the arm's other seeds of its prompt."""
    sets = [cell_views(record, prompts[record.cell.prompt_id], store) for record in records]
    return _with_others(sets, [(record.cell.label, record.cell.prompt_id) for record in records])


def snapshot_sets(
    snapshots: Sequence[tuple[AnyRecord, Snapshot]], prompts: Mapping[str, Prompt], store: RunStore
) -> list[ViewSet]:
    """Return the views of snapshots, each with those of the arm's other seeds of its prompt at the same step."""
    sets = [snapshot_views(record, each, prompts[record.cell.prompt_id], store) for record, each in snapshots]
    return _with_others(sets, [(record.cell.label, record.cell.prompt_id, each.step) for record, each in snapshots])


def with_samples(sets: Sequence[ViewSet], samples: Mapping[str, ViewSet]) -> list[ViewSet]:
    """Give each set the prior's own images of its prompt, where there are any."""
    return [replace(views, samples=samples.get(views.prompt.id)) for views in sets]


def _with_others(sets: Sequence[ViewSet], groups: Sequence[Hashable]) -> list[ViewSet]:
    """Give each set the others of its group that were seen from the same directions."""
    members: dict[Hashable, list[ViewSet]] = defaultdict(list)
    for views, group in zip(sets, groups, strict=True):
        members[group, views.azimuth_deg].append(views)
    return [
        replace(views, others=tuple(other for other in members[group, views.azimuth_deg] if other is not views))
        for views, group in zip(sets, groups, strict=True)
    ]


def snapshot_views(record: AnyRecord, snapshot: Snapshot, prompt: Prompt, store: RunStore) -> ViewSet:
    """Return the views of one of a cell's snapshots."""
    return _recorded(record, snapshot.views, [_images_of(record), "snapshot", snapshot.step], prompt, store)


def _images_of(record: AnyRecord) -> JsonValue:
    """Identify the images of a record; those of a cell that was run again are others.

    Records without the hash of their method's code keep the scores that they had before there was one.
    """
    if isinstance(record, ImportedRecord) or record.method_sha256 is None:
        return record.identity
    return [record.identity, record.method_sha256, record.started_at]


def _recorded(
    record: AnyRecord, views: Sequence[RecordedView], identity: JsonValue, prompt: Prompt, store: RunStore
) -> ViewSet:
    folder = store.cell_folder(record.cell)
    opacity = tuple(folder / view.opacity for view in views if view.opacity is not None)
    return ViewSet(
        identity=identity,
        scores=store.folder / "scores" / record.cell.folder_name,
        prompt=prompt,
        azimuth_deg=tuple(view.azimuth_deg for view in views),
        rgb=tuple(folder / view.rgb for view in views),
        opacity=opacity if len(opacity) == len(views) else None,
        ring=record.cell.evaluation,
        truths=store.folder / "truth" if _has_our_cameras(record) else None,
        objects=None if _has_our_cameras(record) else store.folder / "truth",
    )


def _has_our_cameras(record: AnyRecord) -> bool:
    return not isinstance(record, ImportedRecord) or record.cell.has_evaluation_cameras

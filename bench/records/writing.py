"""The files of a record, except for the order and the safety in which they appear on disk."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TypeVar

from PIL import Image

from bench.records.outcome import Images, Outcome
from bench.records.record import EVENTS_FILE, RECORD_FILE, BaseRecord, ImportedRecord, Record, RecordedView, Snapshot
from bench.records.seal import sealed
from bench.study.cell import SCENE_FILE
from methods.weights import file_sha256, write_tensors

_AnyRecord = TypeVar("_AnyRecord", bound=BaseRecord)


def write_files(outcome: Outcome, folder: Path) -> Record:
    """Write all files of a record into ``folder``, ``record.json`` last.

    Returns:
        The record as written, with the seconds, file sizes and hashes that only writing determines.

    Raises:
        OSError: If the folder cannot be written in.
    """
    start = time.perf_counter()
    views = _write_images(outcome.images, folder, "views")
    snapshots = tuple(
        Snapshot(
            step=snapshot.step,
            seconds=snapshot.seconds,
            views=_write_images(snapshot.images, folder, f"snapshots/{snapshot.step:06}"),
        )
        for snapshot in outcome.snapshots
    )
    if outcome.scene:
        write_tensors(outcome.scene, folder / SCENE_FILE)
    lines = "".join(event.model_dump_json() + "\n" for event in outcome.events)
    (folder / EVENTS_FILE).write_text(lines, encoding="utf-8")
    files = _describe_files(folder)
    before = outcome.record.seconds  # it wrote checkpoints and progress on the way
    seconds = before.model_copy(update={"write": before.write + time.perf_counter() - start})
    record = outcome.record.model_copy(update={"views": views, "snapshots": snapshots, "seconds": seconds, **files})
    return _write_record(record, folder)


def write_imported(record: ImportedRecord, images: Images, folder: Path) -> ImportedRecord:
    """Write the images and the record of renders that were made elsewhere into ``folder``, ``record.json`` last.

    Returns:
        The record as written, with its views and with the sizes and hashes of its files.

    Raises:
        OSError: If the folder cannot be written in.
    """
    views = _write_images(images, folder, "views")
    written = record.model_copy(update={"views": views, **_describe_files(folder)})
    return _write_record(written, folder)


def _write_record(record: _AnyRecord, folder: Path) -> _AnyRecord:
    text = sealed(record)
    (folder / RECORD_FILE).write_text(text, encoding="utf-8")
    return type(record).model_validate_json(text)


def _describe_files(folder: Path) -> dict[str, dict[str, int] | dict[str, str]]:
    """The sizes and hashes of all files in a folder, as a record has them."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        "file_bytes": {name: path.stat().st_size for name, path in files.items()},
        "file_sha256": {name: file_sha256(path) for name, path in files.items()},
    }


def _write_images(images: Images, folder: Path, within: str) -> tuple[RecordedView, ...]:
    """Write the images of each view into the folder ``within`` the record's."""
    (folder / within).mkdir(parents=True, exist_ok=True)
    kinds = {"rgb": images.rgb, "opacity": images.opacity, "normals": images.normals}
    views = []
    for index, azimuth_deg in enumerate(images.azimuth_deg):
        names = {}
        for kind, values in kinds.items():
            if values is not None:
                names[kind] = f"{within}/{kind.removesuffix('s')}_{index:03}.png"
                Image.fromarray(values[index]).save(folder / names[kind])
        views.append(RecordedView(azimuth_deg=azimuth_deg, **names))
    return tuple(views)

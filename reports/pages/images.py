"""The images of a study as files of its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from reports.frames import GROUND_TRUTH, ReportFrames
from reports.images import Ring, encode_strip, encode_view, rings
from reports.pages.file_names import file_names

#: The cameras that are shown side by side, and their names.
AZIMUTHS_DEG: Final[Mapping[int, str]] = {0: "front", 90: "90°", 180: "back", 270: "270°"}
#: A function that takes the path of a file, relative to the report's folder, and its bytes.
Put = Callable[[str, bytes], None]


@dataclass(frozen=True)
class ViewImage:
    """One view from one camera; paths are relative to the report's folder."""

    thumbnail: str
    full: str  # the thumbnail's path, if the render is not larger
    azimuth_deg: float


@dataclass(frozen=True)
class Turntable:
    """All views of a turn side by side in one image."""

    strip: str
    frames: int


@dataclass(frozen=True)
class CellImages:
    """All images of one cell, or of one prompt's ground truth, by mode (rgb, normals, opacity)."""

    views: Mapping[str, Mapping[int, ViewImage]]  # then by those azimuths of AZIMUTHS_DEG that the ring is close to
    turntables: Mapping[str, Turntable]  # empty for a single view


def write_images(frames: ReportFrames, put: Put) -> dict[str, CellImages]:
    """Write small images of every cell to ``thumbnails``, ``images`` and ``turntables``.

    Returns:
        Images by cell, and those of the ground truth by ``GROUND_TRUTH + prompt_id``.

    Raises:
        ReportError: If an image cannot be read.
    """
    folders = _folders(frames)
    return {key: _write_ring(ring, folders[key], put) for key, ring in rings(frames).items() if key in folders}


def _folders(frames: ReportFrames) -> dict[str, str]:
    """Assign a folder to each ring: a folder per prompt, in it one per cell."""
    prompts = file_names(frames.prompts)
    labels = {str(row.cell): f"{row.method}-{row.seed}" for row in frames.cells.itertuples()}
    cells = file_names(labels.values())
    own = {
        str(cell): f"{prompts[prompt]}/{cells[labels[cell]]}"
        for cell, prompt in zip(frames.cells["cell"], frames.cells["prompt_id"], strict=True)
    }
    return own | {GROUND_TRUTH + prompt: f"{folder}/truth" for prompt, folder in prompts.items()}


def _write_ring(ring: Ring, folder: str, put: Put) -> CellImages:
    views: dict[str, dict[int, ViewImage]] = {}
    turntables = {}
    for mode, paths in ring.images.items():
        views[mode] = {}
        for azimuth in AZIMUTHS_DEG:
            index = ring.nearest(azimuth)
            if ring.distance_deg(index, azimuth) > 45:  # a ring of one view has no back
                continue
            thumbnail, full = encode_view(paths[index])
            name = f"{folder}/{mode}-{azimuth:03}.webp"
            put(f"thumbnails/{name}", thumbnail)
            if full is not None:
                put(f"images/{name}", full)
            shown = f"{'thumbnails' if full is None else 'images'}/{name}"
            views[mode][azimuth] = ViewImage(f"thumbnails/{name}", shown, ring.azimuth_deg[index])
        frames = ring.turntable(mode)
        if len(frames) > 1:
            turntables[mode] = Turntable(f"turntables/{folder}/{mode}.webp", len(frames))
            put(turntables[mode].strip, encode_strip(frames))
    return CellImages(views, turntables)

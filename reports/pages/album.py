"""The pictures of a study as files of its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from reports.frames import GROUND_TRUTH, ReportFrames
from reports.pages.file_names import file_names
from reports.pictures import Ring, rings, still, strip

#: The cameras that are shown side by side, and what they are called.
AZIMUTHS_DEG: Final[Mapping[int, str]] = {0: "front", 90: "90°", 180: "back", 270: "270°"}
#: Takes the path of a file relative to the report's folder, and its bytes.
Put = Callable[[str, bytes], None]


@dataclass(frozen=True)
class Shot:
    """One view from one camera; paths are relative to the report's folder."""

    thumbnail: str
    full: str  # the thumbnail's, where the render is no larger
    azimuth_deg: float


@dataclass(frozen=True)
class Turn:
    """All views of a turn side by side in one picture."""

    strip: str
    frames: int


@dataclass(frozen=True)
class Shots:
    """Everything shown of one cell, or of one prompt's ground truth, by mode (rgb, normals, opacity)."""

    stills: Mapping[str, Mapping[int, Shot]]  # then by the azimuth of AZIMUTHS_DEG; those that the ring comes near to
    turns: Mapping[str, Turn]  # empty where there is but one view


def write_album(frames: ReportFrames, put: Put) -> dict[str, Shots]:
    """Write the pictures of every cell, made small, under ``thumbnails``, ``pictures`` and ``turntables``.

    Returns:
        Shots by cell, and those of the ground truth by ``GROUND_TRUTH + prompt_id``.

    Raises:
        ReportError: If a picture cannot be read.
    """
    folders = _folders(frames)
    return {key: _shots(views, folders[key], put) for key, views in rings(frames).items() if key in folders}


def _folders(frames: ReportFrames) -> dict[str, str]:
    """Where the pictures of each ring go: a folder for each prompt, in it one for each cell."""
    prompts = file_names(frames.prompts)
    who = {str(row.cell): f"{row.method}-{row.seed}" for row in frames.cells.itertuples()}
    cells = file_names(who.values())
    own = {
        str(cell): f"{prompts[prompt]}/{cells[who[cell]]}"
        for cell, prompt in zip(frames.cells["cell"], frames.cells["prompt_id"], strict=True)
    }
    return own | {GROUND_TRUTH + prompt: f"{folder}/truth" for prompt, folder in prompts.items()}


def _shots(views: Ring, folder: str, put: Put) -> Shots:
    stills: dict[str, dict[int, Shot]] = {}
    turns = {}
    for mode, paths in views.pictures.items():
        stills[mode] = {}
        for azimuth in AZIMUTHS_DEG:
            index = views.nearest(azimuth)
            if views.off(index, azimuth) > 45:  # a ring of one view has no back
                continue
            thumbnail, full = still(paths[index])
            name = f"{folder}/{mode}-{azimuth:03}.webp"
            put(f"thumbnails/{name}", thumbnail)
            if full is not None:
                put(f"pictures/{name}", full)
            shown = f"{'thumbnails' if full is None else 'pictures'}/{name}"
            stills[mode][azimuth] = Shot(f"thumbnails/{name}", shown, views.azimuth_deg[index])
        turn = views.turn(mode)
        if len(turn) > 1:
            turns[mode] = Turn(f"turntables/{folder}/{mode}.webp", len(turn))
            put(turns[mode].strip, strip(turn))
    return Shots(stills, turns)

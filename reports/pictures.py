"""The rendered views of one cell, in order around the object, and as small files that a page can show."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
from PIL import Image

from reports.frames import GROUND_TRUTH, ReportError, ReportFrames

#: What can be shown of a view, and the column of ``views`` that has its path.
MODES: Final[Mapping[str, str]] = {"rgb": "rgb_path", "normals": "normal_path", "opacity": "opacity_path"}
THUMBNAIL_SIDE: Final = 192  # pixels at most; smaller renders are left alone
FULL_SIDE: Final = 768
TURN_SIDE: Final = 128
TURN_FRAMES: Final = 36  # 36 × 128 px stays far below WebP's 16 383 px


@dataclass(frozen=True)
class Ring:
    """Views by azimuth from the front (0°) on, in [0°, 360°); all tuples are of one length."""

    azimuth_deg: tuple[float, ...]
    pictures: Mapping[str, tuple[Path, ...]]  # by mode; those that every view has, so always "rgb"

    @property
    def rgb(self) -> tuple[Path, ...]:
        """The colour pictures."""
        return self.pictures["rgb"]

    def nearest(self, azimuth_deg: float) -> int:
        """Index of the view nearest to an azimuth, around the circle."""
        off = [self.off(index, azimuth_deg) for index in range(len(self.azimuth_deg))]
        return off.index(min(off))

    def off(self, index: int, azimuth_deg: float) -> float:
        """How far view ``index`` is from an azimuth, degrees in [0, 180]."""
        return abs(math.remainder(self.azimuth_deg[index] - azimuth_deg, 360.0))

    def turn(self, mode: str) -> tuple[Path, ...]:
        """Pictures of one turn, at most ``TURN_FRAMES``, evenly spread."""
        stride = -(-len(self.azimuth_deg) // TURN_FRAMES)
        return self.pictures[mode][::stride]


def ring(views: pd.DataFrame) -> Ring | None:
    """The ring of one cell's rows of ``views``; None if it has none."""
    if views.empty:
        return None
    turned = views.assign(azimuth_deg=views["azimuth_deg"].astype(float) % 360.0).sort_values(["azimuth_deg", "view"])
    pictures = {
        mode: tuple(map(Path, turned[column])) for mode, column in MODES.items() if not turned[column].isna().any()
    }
    return Ring(tuple(turned["azimuth_deg"]), pictures)


def rings(frames: ReportFrames) -> dict[str, Ring]:
    """Rings by cell, and those of the ground truth by ``GROUND_TRUTH + prompt_id``."""
    views = frames.views.assign(key=frames.views["cell"].astype(object))
    truth = views["method"] == GROUND_TRUTH
    views.loc[truth, "key"] = GROUND_TRUTH + views.loc[truth, "prompt_id"].astype(object)
    found = {str(key): ring(rows) for key, rows in views.groupby("key", sort=False)}
    return {key: value for key, value in found.items() if value is not None}


def load(path: Path, side: int) -> Image.Image:
    """A picture in RGB, made smaller (area mean) where larger than ``side``.

    Raises:
        ReportError: If the file is not there or not a picture.
    """
    try:
        with Image.open(path) as picture:
            plain = shrunk(picture, side) if picture.mode in ("RGB", "L") else picture  # a palette has no mean
            return shrunk(plain.convert("RGB"), side)
    except OSError as error:
        raise ReportError(f"views: {path} cannot be read as a picture ({type(error).__name__})") from error


def shrunk(picture: Image.Image, side: int) -> Image.Image:
    """The picture, or a copy made smaller where it is larger than ``side``."""
    if max(picture.size) <= side:
        return picture
    width, height = (max(1, round(side * length / max(picture.size))) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX, reducing_gap=1.0)


def still(path: Path) -> tuple[bytes, bytes | None]:
    """A thumbnail, and the full picture where that is larger, as WebP; small renders are kept lossless."""
    picture = load(path, FULL_SIDE)
    if max(picture.size) <= THUMBNAIL_SIDE:
        return _webp(picture, lossless=True, quality=60), None
    return _webp(shrunk(picture, THUMBNAIL_SIDE), quality=78), _webp(picture, quality=82)


def strip(paths: Sequence[Path]) -> bytes:
    """Pictures of one size side by side as WebP, for a turntable that shows one at a time."""
    frames = [load(path, TURN_SIDE) for path in paths]
    width, height = frames[0].size
    joined = Image.new("RGB", (width * len(frames), height), "white")
    for index, frame in enumerate(frames):
        joined.paste(frame.resize((width, height)), (index * width, 0))
    return _webp(joined, quality=78)


def _webp(picture: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, format="webp", method=2, **options)  # half the time of the default, for some percent of size
    return out.getvalue()

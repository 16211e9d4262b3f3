"""The rendered views of one cell, in order around the object, and their small files for a page."""

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

#: Kinds of images of a view, and the column of ``views`` with their paths.
MODES: Final[Mapping[str, str]] = {"rgb": "rgb_path", "normals": "normal_path", "opacity": "opacity_path"}
THUMBNAIL_SIDE: Final = 192  # most pixels; smaller renders are not resized
FULL_SIDE: Final = 768
TURNTABLE_SIDE: Final = 128
TURNTABLE_FRAMES: Final = 36  # 36 × 128 px are far below WebP's 16 383 px


@dataclass(frozen=True)
class Ring:
    """Views by azimuth from the front (0°), in [0°, 360°); all tuples have the same length."""

    azimuth_deg: tuple[float, ...]
    images: Mapping[str, tuple[Path, ...]]  # by mode, if every view has them; always "rgb"

    @property
    def rgb(self) -> tuple[Path, ...]:
        """The colour images."""
        return self.images["rgb"]

    def nearest(self, azimuth_deg: float) -> int:
        """Return the index of the view nearest to an azimuth, around the circle."""
        distances = [self.distance_deg(index, azimuth_deg) for index in range(len(self.azimuth_deg))]
        return distances.index(min(distances))

    def distance_deg(self, index: int, azimuth_deg: float) -> float:
        """Return the distance of view ``index`` to an azimuth, degrees in [0, 180]."""
        return abs(math.remainder(self.azimuth_deg[index] - azimuth_deg, 360.0))

    def turntable(self, mode: str) -> tuple[Path, ...]:
        """Return the images of one turn, at most ``TURNTABLE_FRAMES``, evenly spread."""
        stride = -(-len(self.azimuth_deg) // TURNTABLE_FRAMES)
        return self.images[mode][::stride]


def ring(views: pd.DataFrame) -> Ring | None:
    """Arrange one cell's rows of ``views`` as a ring; None without a row."""
    if views.empty:
        return None
    ordered = views.assign(azimuth_deg=views["azimuth_deg"].astype(float) % 360.0).sort_values(["azimuth_deg", "view"])
    images = {
        mode: tuple(map(Path, ordered[column])) for mode, column in MODES.items() if not ordered[column].isna().any()
    }
    return Ring(tuple(ordered["azimuth_deg"]), images)


def rings(frames: ReportFrames) -> dict[str, Ring]:
    """Return rings by cell, and those of the ground truth by ``GROUND_TRUTH + prompt_id``."""
    views = frames.views.assign(key=frames.views["cell"].astype(object))
    truth = views["method"] == GROUND_TRUTH
    views.loc[truth, "key"] = GROUND_TRUTH + views.loc[truth, "prompt_id"].astype(object)
    found = {str(key): ring(rows) for key, rows in views.groupby("key", sort=False)}
    return {key: value for key, value in found.items() if value is not None}


def load(path: Path, side: int) -> Image.Image:
    """Read an image as RGB, reduced (area mean) if it is larger than ``side``.

    Raises:
        ReportError: If the file is missing or is not an image.
    """
    try:
        with Image.open(path) as image:
            plain = reduce(image, side) if image.mode in ("RGB", "L") else image  # a palette has no mean
            return reduce(plain.convert("RGB"), side)
    except OSError as error:
        raise ReportError(f"views: {path} cannot be read as an image ({type(error).__name__})") from error


def reduce(image: Image.Image, side: int) -> Image.Image:
    """Return the image, or a reduced copy if it is larger than ``side``."""
    if max(image.size) <= side:
        return image
    width, height = (max(1, round(side * length / max(image.size))) for length in image.size)
    return image.resize((width, height), Image.Resampling.BOX, reducing_gap=1.0)


def encode_view(path: Path) -> tuple[bytes, bytes | None]:
    """Encode a thumbnail, and the full image if it is larger, as WebP; small renders are lossless."""
    image = load(path, FULL_SIDE)
    if max(image.size) <= THUMBNAIL_SIDE:
        return _webp(image, lossless=True, quality=60), None
    return _webp(reduce(image, THUMBNAIL_SIDE), quality=78), _webp(image, quality=82)


def encode_strip(paths: Sequence[Path]) -> bytes:
    """Encode images of one size side by side as WebP, for a turntable that shows one at a time."""
    frames = [load(path, TURNTABLE_SIDE) for path in paths]
    width, height = frames[0].size
    joined = Image.new("RGB", (width * len(frames), height), "white")
    for index, frame in enumerate(frames):
        joined.paste(frame.resize((width, height)), (index * width, 0))
    return _webp(joined, quality=78)


def _webp(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format="webp", method=2, **options)  # half the time of the default, a few per cent larger
    return out.getvalue()

"""The rendered views of one cell, in order around the object, and as data URIs that a page can hold."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image

from reports.frames import GROUND_TRUTH, ReportError, ReportFrames

STILL_SIDE = 192  # pixels at most; larger renders are made smaller, smaller ones left alone
TURN_SIDE = 128
TURN_FRAMES = 36  # 36 × 128 px stays far below WebP's 16 383 px


@dataclass(frozen=True)
class Ring:
    """Views by azimuth from the front (0°) on, in [0°, 360°); three tuples of one length."""

    azimuth_deg: tuple[float, ...]
    rgb: tuple[Path, ...]
    opacity: tuple[Path | None, ...]

    def nearest(self, azimuth_deg: float) -> int:
        """Index of the view nearest to an azimuth, around the circle."""
        off = [abs(math.remainder(own - azimuth_deg, 360.0)) for own in self.azimuth_deg]
        return off.index(min(off))

    def turn(self) -> tuple[Path, ...]:
        """Colour pictures of one turn, at most ``TURN_FRAMES``, evenly spread."""
        stride = -(-len(self.rgb) // TURN_FRAMES)
        return self.rgb[::stride]


def ring(views: pd.DataFrame) -> Ring | None:
    """The ring of one cell's rows of ``views``; None if it has none."""
    if views.empty:
        return None
    turned = views.assign(azimuth_deg=views["azimuth_deg"].astype(float) % 360.0).sort_values(["azimuth_deg", "view"])
    opacity = (None if pd.isna(path) else Path(path) for path in turned["opacity_path"])
    return Ring(tuple(turned["azimuth_deg"]), tuple(map(Path, turned["rgb_path"])), tuple(opacity))


def rings(frames: ReportFrames) -> dict[str, Ring]:
    """Rings by cell, and those of the ground truth by ``GROUND_TRUTH + prompt_id``."""
    views = frames.views.assign(key=frames.views["cell"].astype(object))
    truth = views["method"] == GROUND_TRUTH
    views.loc[truth, "key"] = GROUND_TRUTH + views.loc[truth, "prompt_id"]
    found = {str(key): ring(rows) for key, rows in views.groupby("key", sort=False)}
    return {key: value for key, value in found.items() if value is not None}


def load(path: Path, side: int) -> Image.Image:
    """A picture in RGB, made smaller (area mean) where larger than ``side``.

    Raises:
        ReportError: If the file is not there or not a picture.
    """
    try:
        with Image.open(path) as picture:
            rgb = picture.convert("RGB")
    except OSError as error:
        raise ReportError(f"views: {path} cannot be read as a picture ({type(error).__name__})") from error
    if max(rgb.size) > side:
        rgb.thumbnail((side, side), Image.Resampling.BOX)
    return rgb


def still(path: Path) -> str:
    """One picture, lossless."""
    return _data_uri(load(path, STILL_SIDE), "png", optimize=True)


def strip(paths: Sequence[Path]) -> str:
    """Pictures of one size side by side, for a turntable that shows one at a time."""
    frames = [load(path, TURN_SIDE) for path in paths]
    width, height = frames[0].size
    joined = Image.new("RGB", (width * len(frames), height), "white")
    for index, frame in enumerate(frames):
        joined.paste(frame.resize((width, height)), (index * width, 0))
    return _data_uri(joined, "webp", quality=90, method=4)


def _data_uri(picture: Image.Image, kind: str, **options: object) -> str:
    out = io.BytesIO()
    picture.save(out, format=kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode('ascii')}"

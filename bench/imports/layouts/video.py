"""Videos of turns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import InputError
from bench.imports.asset import Asset, AssetImages
from bench.imports.files import shown
from bench.imports.layouts import layouts
from bench.imports.single_files import objects_in
from bench.imports.turn import TurnLayout
from bench.imports.video_frames import FORMATS, spread_frames
from bench.study.settings import EvaluationSettings
from methods.settings import require


@layouts.register("video")
@dataclass(frozen=True)
class Video(TurnLayout):
    """Videos of a camera that goes around the object: FOLDER/PROMPT.mp4, .webm or .gif, or one in FOLDER/PROMPT.

    Frames are taken at equal steps from the first on.  There is no opacity.  Colours are those of the compressed video.
    Of images next to each other in a frame, as in threestudio's videos, the first is taken, if ``panels`` says how many
    there are.  MP4 and WebM need the package av (extra ``video``).
    """

    views: int = 24
    """Number of frames that are taken (the suite's evaluation: 24)."""
    panels: int = 1
    """Number of images next to each other in a frame; threestudio's videos have 3."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.views <= 360, "views", self.views, "a number from 1 to 360")
        require(1 <= self.panels <= 16, "panels", self.panels, "a number from 1 to 16")

    def assets(self, folder: Path) -> list[Asset]:
        return [
            Asset(path, names, (path,))
            for path, names, _ in objects_in(folder, (*FORMATS, ".gif"), "video of an object")
        ]

    def images(self, asset: Asset, ring: EvaluationSettings) -> AssetImages:
        [path] = asset.files
        frames, shares = spread_frames(path, self.views, background=ring.background)
        height, width = frames.shape[1:3]
        if width % self.panels:
            raise InputError(f"{shown(path)}: is {width} pixels wide, which panels = {self.panels} does not divide")
        if self.panels == 1 and width >= 2 * height and width % height == 0:
            raise InputError(
                f"{shown(path)}: is {width // height} times as wide as high, as several images next to each other are; "
                f"give panels = {width // height} to take the first"
            )
        rgb = np.ascontiguousarray(frames[:, :, : width // self.panels])
        return AssetImages(rgb, None, None, tuple(self.azimuth_deg(share) for share in shares))

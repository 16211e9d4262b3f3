"""The folders that MV-SDI's evaluation reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.errors import InputError
from bench.imports.asset import Asset, AssetImages
from bench.imports.files import shown
from bench.imports.layouts import layouts
from bench.imports.layouts.threestudio import Threestudio
from bench.study.settings import EvaluationSettings
from methods.settings import require


@layouts.register("mvsdi")
@dataclass(frozen=True)
class MultiViewSdi(Threestudio):
    """Trials as scripts/evaluate.py of MV-SDI reads them: FOLDER/EXPERIMENT/SLUG@TIMESTAMP/save/itN-test/*.png.

    The prompt's slug is what is before the first ``@``, with ``_`` for spaces; of several trials of a slug the latest
    with test views is taken, and of its views 50, evenly spaced with the first and the last.  Two things differ from
    the script: only the newest itN-test counts, where it mixes all of them, and a trial without one is left out, where
    it scores the images of the validation.  The panels are those of layout ``threestudio``, and the opacity is kept.

    Read after ``scripts/evaluate.py`` (find_experiments, load_images) of marianlupascu/MV-SDI at
    64ae915501bbcf14ea8fadc220ecf01c8a2c6160.
    """

    views: int = 50
    """Most views of an object (``--max-images`` in MV-SDI's scripts: 50)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.views <= 10_000, "views", self.views, "a number from 1 to 10 000")

    def assets(self, folder: Path) -> list[Asset]:
        latest: dict[str, Asset] = {}
        # by the whole path, as the script sorts
        for asset in sorted(super().assets(folder), key=lambda asset: str(asset.place)):
            slug, at, _ = asset.place.resolve().name.partition("@")
            if at:
                latest[slug] = replace(asset, names=(*asset.names, slug, slug.replace("_", " ")))
        if not latest:
            raise InputError(f"{shown(folder)}: has no trials named SLUG@TIMESTAMP with save/itN-test/*.png")
        return list(latest.values())

    def images(self, asset: Asset, ring: EvaluationSettings) -> AssetImages:
        found = super().images(asset, ring)
        count = len(found.rgb)
        if count <= self.views:
            return found
        places = np.linspace(0, count - 1, self.views, dtype=int)
        return AssetImages(
            found.rgb[places],
            None if found.opacity is None else found.opacity[places],
            None if found.normals is None else found.normals[places],
            tuple(found.azimuth_deg[place] for place in places),
        )

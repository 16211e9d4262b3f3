"""Trials of threestudio."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from bench.errors import InputError
from bench.imports.asset import Asset, AssetImages
from bench.imports.decoding import read_image
from bench.imports.files import shown
from bench.imports.layout import Layout
from bench.imports.layouts import layouts
from bench.imports.listing import Listing, list_folder
from bench.imports.matching import without_timestamp
from bench.imports.parsed_config import ParsedConfig
from bench.imports.stacking import require_grey, require_room
from bench.imports.turn import wrap_deg
from bench.study.settings import EvaluationSettings
from methods.settings import require

Panel = Literal["rgb", "normal", "opacity", "other"]

#: Test views of ``RandomCameraDataModuleConfig``, where a trial's settings do not state another number.
DEFAULT_TEST_VIEWS = 120

_TEST = re.compile(r"it([0-9]+)-test")
_ENDINGS = (".png",)

#: Panels by their number, which ``test_step`` of most systems writes; the normal is there if the renderer has one.
_USUAL: dict[int, tuple[Panel, ...]] = {1: ("rgb",), 2: ("rgb", "opacity"), 3: ("rgb", "normal", "opacity")}

#: Systems with another order, and those whose panels depend on their settings.
_OTHER: dict[str, dict[int, tuple[Panel, ...]]] = {
    "fantasia3d-system": {3: ("rgb", "opacity", "normal")},
    "zero123-system": {},
    "image-condition-dreamfusion-system": {},
}

#: Data modules whose test cameras are those of a data set.
_OF_A_DATA_SET = {"co3d-datamodule", "multiview-camera-datamodule"}


@layouts.register("threestudio")
@dataclass(frozen=True)
class Threestudio(Layout):
    """Trials of threestudio: save/itN-test/0.png, 1.png, … of the newest N, with RGB, normal and opacity side by side.

    FOLDER is an outputs folder, an experiment's or a trial's.  Prompt, seed, steps, guidance scale, prior and system
    are those of configs/parsed.yaml, else of cmd.txt.  Trials without test views are left out.  The panels of an image
    are squares next to each other: one is RGB, two are RGB and opacity, three are RGB, normal and opacity; Fantasia3D's
    are RGB, opacity and normal.  Azimuths are ``linspace(0, 360, n)`` over the n test views, first and last the same,
    counter- clockwise from the front, which is our own convention: x is the front in both, and z is up.

    Read after ``threestudio/systems/*.py`` (test_step), ``utils/saving.py`` (save_image_grid), ``data/uncond.py``
    (RandomCameraDataset) and ``utils/config.py`` of threestudio at 28d9d80d9d00f308244adfcf3be8b17ca0cb6465.

    Raises:
        ValueError: If a setting is out of its range.
    """

    panels: tuple[Panel, ...] = ()
    """Panels of an image from left to right, each rgb, normal, opacity or other; empty for those stated above."""
    test_views: int = 0
    """Number of test views of the trials; 0 for that in parsed.yaml (data.n_test_views), else threestudio's default of
    120."""

    def __post_init__(self) -> None:
        known = set(get_args(Panel))
        is_known = set(self.panels) <= known and self.panels.count("rgb") == bool(self.panels)
        is_known = is_known and all(self.panels.count(name) <= 1 for name in ("normal", "opacity"))
        right = f"a list with one rgb, at most one normal and one opacity, of {', '.join(sorted(known))}"
        require(is_known, "panels", self.panels, right)
        require(0 <= self.test_views <= 10_000, "test_views", self.test_views, "a number from 0 to 10 000")

    def assets(self, folder: Path) -> list[Asset]:
        found = [self._asset(trial, save) for trial, save in trials_in(list_folder(folder)) if newest_test(save)]
        if not found:
            raise InputError(
                f"{shown(folder)}: has no test views of threestudio; give an outputs folder, an experiment's or a "
                "trial's, in which save/itN-test/*.png are"
            )
        return found

    def images(self, asset: Asset, ring: EvaluationSettings) -> AssetImages:
        files = [path for path in asset.files if path.suffix.lower() in _ENDINGS]
        if asset.known.get("cameras") in _OF_A_DATA_SET:
            raise InputError(
                f"{shown(asset.place)}: its test cameras are those of a data set ({asset.known['cameras']}), so the "
                'azimuths are not known; give layout "frames"'
            )
        if asset.known.get("stage") == "geometry":
            raise InputError(f"{shown(asset.place)}: is a stage without colours (system.stage = geometry)")
        stated = self.test_views or asset.known.get("test_views", DEFAULT_TEST_VIEWS)
        total = stated if isinstance(stated, int) else len(files)
        require_all_views(files, total, shown(asset.place))
        return self._split(files, split_azimuths(total), str(asset.known.get("system", "")), ring.background)

    def _asset(self, trial: Listing, save: Listing) -> Asset:
        test = newest_test(save)
        assert test is not None  # noqa: S101, as the caller checks
        config = ParsedConfig(trial.folder)
        step = int(_TEST.fullmatch(test.folder.name)[1])  # type: ignore[index]
        names = [config.prompt, without_timestamp(trial.folder.resolve().name)]
        return Asset(
            place=trial.folder,
            names=tuple(dict.fromkeys(name for name in names if name)),
            files=(*test.files_ending(_ENDINGS), *config.files),
            seed=config.seed,
            known={**config.facts, "test_step": step},
        )

    def _split(
        self, files: Sequence[Path], azimuth_deg: Sequence[float], system: str, background: float
    ) -> AssetImages:
        """The panels of images, byte for byte."""
        found: dict[Panel, np.ndarray] = {}
        first = (0, 0)
        for index, path in enumerate(files):
            image, _ = read_image(path, background=background)
            height, width = image.shape[:2]
            if index == 0:
                first = (height, width)
                panels = self._panels(height, width, system, shown(path))
                side = width // len(panels)
                require_room(len(files), height, width, shown(path.parent))
                wanted = [name for name in panels if name != "other"]
                found = {name: np.empty((len(files), height, side, 3), np.uint8) for name in wanted}
            if (height, width) != first:
                raise InputError(
                    f"{shown(path)}: has {width} × {height} pixels, right is {first[1]} × {first[0]}, as others have"
                )
            for place, name in enumerate(panels):
                panel = image[:, place * side : (place + 1) * side]
                if name == "opacity":
                    require_grey(panel, f"{shown(path)}: its panel {place + 1} of {len(panels)} (setting panels)")
                if name != "other":
                    found[name][index] = panel
        opacity = found.get("opacity")
        return AssetImages(
            found["rgb"],
            None if opacity is None else np.ascontiguousarray(opacity[..., 0]),
            found.get("normal"),
            tuple(azimuth_deg),
        )

    def _panels(self, height: int, width: int, system: str, name: str) -> tuple[Panel, ...]:
        if self.panels:
            if width % len(self.panels):
                raise InputError(f"{name}: is {width} pixels wide, which panels = {list(self.panels)} do not divide")
            return self.panels
        count, rest = divmod(width, height)
        known = _OTHER.get(system, _USUAL) if count > 1 else _USUAL
        if rest or count not in known:
            of = f" of {shown(system)}" if system else ""
            raise InputError(
                f"{name}: has {width} × {height} pixels, and what its panels{of} are is not known; "
                'give panels, such as ["rgb", "normal", "opacity"]'
            )
        return known[count]


def trials_in(here: Listing) -> Iterator[tuple[Listing, Listing]]:
    """The folders of trials and their ``save``, in a trial's folder, an experiment's or an outputs folder."""
    level = [here]
    for _ in range(3):
        below = []
        for listing in level:
            save = [path for path in listing.folders if path.name == "save"]
            if save:
                yield listing, listing.within(save[0])
            else:
                below += [listing.within(path) for path in listing.folders]
        level = below


def newest_test(save: Listing) -> Listing | None:
    """The folder of the test views of the most steps; None if no such folder has one."""
    tests = [(int(match[1]), path) for path in save.folders if (match := _TEST.fullmatch(path.name))]
    for _, path in sorted(tests, reverse=True):
        listing = save.within(path)
        if listing.files_ending(_ENDINGS):
            return listing
    return None


def split_azimuths(count: int) -> tuple[float, ...]:
    """The azimuths of threestudio's test split: ``linspace(0, 360, count)``, in (−180, 180]."""
    return tuple(wrap_deg(float(angle)) for angle in np.linspace(0.0, 360.0, count))


def require_all_views(files: Sequence[Path], total: int, place: str) -> None:
    """Check that images are named 0 to ``total − 1``.

    Raises:
        InputError: If one is missing or has another name.
    """
    names = [path.stem for path in files]
    for index in range(total):
        if index >= len(names) or names[index] != str(index):
            raise InputError(
                f"{place}: has {len(files)} test views, right is {total}, and view {index} is missing; azimuths need "
                "all of them (setting test_views, if the trial had another number)"
            )
    if len(names) > total:
        raise InputError(f"{place}: has {len(files)} test views, right is {total} (setting test_views)")

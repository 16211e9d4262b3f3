"""Folders of images, one per prompt, and the views of our own records."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from bench.errors import InputError
from bench.imports.asset import Asset, AssetImages
from bench.imports.decoding import IMAGE_ENDINGS
from bench.imports.files import read_bytes, shown
from bench.imports.layouts import layouts
from bench.imports.listing import Listing, list_folder
from bench.imports.stacking import stack_greys, stack_images
from bench.imports.turn import TurnLayout
from bench.study.settings import EvaluationSettings
from methods.cameras import evaluation_ring
from methods.settings import require

_KIND = re.compile(r"(?P<kind>rgb|opacity|alpha|normal)s?_(?P<rest>.+)", re.IGNORECASE)
_CELL = re.compile(r"(?P<label>.+?)--(?P<prompt>.+?)--s(?P<seed>[0-9]+)--[0-9a-f]+")
_SEED = re.compile(r"(?:seed|s)?[-_]?([0-9]{1,9})", re.IGNORECASE)

#: Most bytes of the ``record.json`` of a cell.
_MOST_RECORD_BYTES = 2**24


@layouts.register("frames")
@dataclass(frozen=True)
class Frames(TurnLayout):
    """Folders of images: FOLDER/PROMPT/*.png, .jpg or .webp; FOLDER/*.png is one object.

    The images are in natural order (``2.png`` before ``10.png``) and at equal azimuth steps; numbers in their names
    must rise by equal steps, so that a missing one is seen.  FOLDER/PROMPT/SEED/*.png is read too, if all folders below
    a prompt's are named by numbers (``3``, ``seed_3``).  Where a folder has ``rgb_*``, its ``opacity_*`` or ``alpha_*``
    and ``normal_*`` are read with them and all else is left out.  An alpha channel is the opacity, unless nothing is
    transparent.  A run folder of this suite (FOLDER/cells/LABEL--PROMPT--sSEED--HASH/views) is read as such.
    """

    cameras: Literal["unknown", "evaluation"] = "unknown"
    """``evaluation`` states that the images are those of the study's own evaluation cameras, all of them and in order;
    number and size are then checked, and azimuths are the cameras'."""
    arm: str = ""
    """Label of the arm to read of a run folder of this suite; needed if it has several."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.cameras in ("unknown", "evaluation"), "cameras", self.cameras, '"unknown" or "evaluation"')

    @property
    def has_our_cameras(self) -> bool:
        """Whether the user states so."""
        return self.cameras == "evaluation"

    def assets(self, folder: Path) -> list[Asset]:
        here = list_folder(folder)
        if cells := [path for path in here.folders if path.name == "cells"]:
            return self._of_run(here.within(cells[0]))
        found = [asset for below in here.folders for asset in _of_prompt(here.within(below))]
        if images := here.files_ending(IMAGE_ENDINGS):
            _require_one_place(images, found)
            return [_asset(here, (folder.resolve().name,))]
        if not found:
            raise InputError(
                f"{shown(folder)}: has no images ({', '.join(IMAGE_ENDINGS)}), neither in it nor in the folders below"
            )
        return found

    def images(self, asset: Asset, ring: EvaluationSettings) -> AssetImages:
        rgb_files, opacity_files, normal_files = _by_kind(asset.files, shown(asset.place))
        _require_equal_steps(rgb_files)
        rgb, opacity = stack_images(rgb_files, background=ring.background)
        count, height, width = rgb.shape[:3]
        if width >= 2 * height and width % height == 0:
            raise InputError(
                f"{shown(rgb_files[0])}: is {width // height} times as wide as high, as several images next to each "
                'other are; give layout "threestudio" if that wrote them, else cut them'
            )
        size = (height, width)
        if opacity_files:
            opacity = stack_greys(opacity_files, size)
        normals, _ = stack_images(normal_files, background=0.0, size=size) if normal_files else (None, None)
        if self.has_our_cameras:
            azimuths = _azimuths_of(ring, rgb.shape, shown(asset.place))
        else:
            azimuths = tuple(self.azimuth_deg(index / count) for index in range(count))
        return AssetImages(rgb, opacity, normals, azimuths)

    def _of_run(self, cells: Listing) -> list[Asset]:
        matches = [(path, match) for path in cells.folders if (match := _CELL.fullmatch(path.name))]
        labels = sorted({match["label"] for _, match in matches})
        if len(labels) > 1 and self.arm not in labels:
            raise InputError(f"{shown(cells.folder)}: arm = {self.arm!r}, right is one of {', '.join(labels)}")
        found = []
        for path, match in matches:
            if self.arm not in {"", match["label"]}:
                continue
            cell = cells.within(path)
            views = [below for below in cell.folders if below.name == "views"]
            listing = cell.within(views[0]) if views else cell
            if listing.files_ending(IMAGE_ENDINGS):
                known = {"arm": match["label"], **_known_of(path)}
                found.append(_asset(listing, (match["prompt"],), int(match["seed"]), known))
        if not found:
            raise InputError(f"{shown(cells.folder)}: has no cells with views{' of ' + self.arm if self.arm else ''}")
        return found


def _of_prompt(listing: Listing) -> list[Asset]:
    """The objects in the folder of a prompt: one, or one for each seed."""
    names = (listing.folder.name,)
    seeds = [_SEED.fullmatch(below.name) for below in listing.folders]
    below = [listing.within(path) for path in listing.folders] if all(seeds) else []
    found = [
        _asset(each, names, int(seed[1]))
        for each, seed in zip(below, seeds, strict=False)
        if seed and each.files_ending(IMAGE_ENDINGS)
    ]
    if images := listing.files_ending(IMAGE_ENDINGS):
        _require_one_place(images, found)
        return [_asset(listing, names)]
    return found


def _require_one_place(images: Sequence[Path], below: Sequence[Asset]) -> None:
    """Refuse a folder with images of its own and objects in the folders below it, such as a preview of them all.

    Raises:
        InputError: If there are both.
    """
    if below:
        raise InputError(
            f"{shown(images[0])}: is an image next to folders with images ({shown(below[0].place.name)}), so it is not "
            "clear which of them are the objects; move either away"
        )


def _asset(
    listing: Listing, names: tuple[str, ...], seed: int | None = None, known: dict[str, JsonValue] | None = None
) -> Asset:
    kinds = _by_kind(listing.files_ending(IMAGE_ENDINGS), shown(listing.folder))
    return Asset(listing.folder, names, tuple(path for files in kinds for path in files), seed, known or {})


def _by_kind(files: Sequence[Path], place: str) -> tuple[list[Path], list[Path], list[Path]]:
    """Colours, opacities and normals, in the order of the colours; empty lists for kinds that are not there.

    Raises:
        InputError: If there are no colours, or not as many images of another kind.
    """
    kinds: dict[str, dict[str, Path]] = {"rgb": {}, "opacity": {}, "normal": {}, "": {}}
    for path in files:
        match = _KIND.fullmatch(path.stem)
        kind = match["kind"].lower().replace("alpha", "opacity") if match else ""
        rest = match["rest"] if match else path.stem
        if rest in kinds[kind]:
            raise InputError(f"{shown(path)}: is there twice, also as {shown(kinds[kind][rest].name)}; remove one")
        kinds[kind][rest] = path
    colours = kinds["rgb"] or kinds[""]
    if not colours:
        raise InputError(f"{place}: has no colour images, only {', '.join(kind for kind in kinds if kinds[kind])}")
    for kind in ("opacity", "normal"):
        if not kinds[kind]:
            continue
        for rest, path in colours.items():
            if rest not in kinds[kind]:
                raise InputError(f"{shown(path)}: has no {kind} image, but others in its folder have one")
        for rest, path in kinds[kind].items():
            if rest not in colours:
                raise InputError(f"{shown(path)}: has no colour image of the same name")
    return (
        list(colours.values()),
        [kinds["opacity"][rest] for rest in colours if kinds["opacity"]],
        [kinds["normal"][rest] for rest in colours if kinds["normal"]],
    )


def _require_equal_steps(files: Sequence[Path]) -> None:
    """Check that no image is missing among those that differ in one number only.

    Raises:
        InputError: If the numbers do not rise by equal steps.
    """
    parts = [re.split(r"([0-9]+)", path.stem) for path in files]
    if len(files) < 3 or len({len(each) for each in parts}) > 1:
        return
    places = [index for index in range(len(parts[0])) if len({each[index] for each in parts}) > 1]
    if len(places) != 1 or places[0] % 2 == 0:
        return
    numbers = [int(each[places[0]]) for each in parts]
    step = min(b - a for a, b in pairwise(numbers))
    for path, (a, b) in zip(files[1:], pairwise(numbers), strict=True):
        if b - a != step:
            raise InputError(
                f"{shown(path)}: follows number {a}, but the others are {step} apart: is an image missing? "
                "Azimuths need all of them"
            )


def _azimuths_of(ring: EvaluationSettings, shape: tuple[int, ...], place: str) -> tuple[float, ...]:
    right = (ring.views, ring.resolution, ring.resolution)
    if shape[:3] != right:
        found = f"{shape[0]} images of {shape[2]} × {shape[1]} pixels"
        raise InputError(
            f'{place}: has {found}, right with cameras = "evaluation" is {right[0]} of {right[1]} × {right[2]}, those '
            "of the study's evaluation"
        )
    return tuple(evaluation_ring(ring.views).azimuth_deg.tolist())


def _known_of(cell: Path) -> dict[str, JsonValue]:
    """The status and the steps that the record of a cell states; nothing without a record."""
    path = cell / "record.json"
    if not path.is_file() or path.is_symlink():
        return {}
    try:
        record = json.loads(read_bytes(path, most=_MOST_RECORD_BYTES))
        return {"status": str(record["status"]), "steps": int(record["steps_done"])}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{shown(path)}: is not the record of a cell ({type(error).__name__})") from error

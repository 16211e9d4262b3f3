"""The folders of GPTEval3D."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import InputError
from bench.imports.asset import Asset, AssetImages
from bench.imports.files import read_bytes, shown
from bench.imports.layout import Layout
from bench.imports.layouts import layouts
from bench.imports.layouts.threestudio import split_azimuths
from bench.imports.listing import Listing, list_folder
from bench.imports.stacking import stack_images
from bench.study.settings import EvaluationSettings

_ENDINGS = (".png",)
_MOST_PROMPT_BYTES = 2**22


@layouts.register("gpteval3d")
@dataclass(frozen=True)
class GptEval3d(Layout):
    """One method of GPTEval3D: FOLDER/PROMPT_NUMBER/SEED/rgb_0.png, …, normal_0.png, …; prompts.json has the texts.

    FOLDER is a method's folder, or a tournament's (with methods/) and the setting ``method``.  Prompts are numbered
    from 0 as prompts.json lists them, which is looked for in FOLDER and, for a method within methods/, in the
    tournament's folder; without it a number is all that names a prompt, so a table must.  The views are evenly spaced
    with threestudio's test cameras, by its README: azimuths are ``linspace(0, 360, n)``.  There is no opacity.

    Read after README.md, ``assets/data_format.md`` and ``utils/t23d_tournament.py`` (T23DMethod) of 3DTopia/GPTEval3D
    at 2382bdd4b46adc5b86a8e80081d51ae0c37fa58c.
    """

    method: str = ""
    """Name of the method in a tournament's folder; needed if it has several."""

    def assets(self, folder: Path) -> list[Asset]:
        here = list_folder(folder)
        prompts = folder / "prompts.json"
        if methods := [path for path in here.folders if path.name == "methods"]:
            here = self._method(here.within(methods[0]))
        elif not prompts.exists() and folder.resolve().parent.name == "methods":
            prompts = folder.resolve().parent.parent / "prompts.json"
        texts = _read_prompts(prompts) if prompts.exists() else []
        found = []
        for path in here.folders:
            if not (path.name.isascii() and path.name.isdigit()):
                continue
            number = int(path.name)
            if texts and number >= len(texts):
                raise InputError(f"{shown(path)}: is prompt {number}, but {shown(prompts)} has 0 to {len(texts) - 1}")
            names = (texts[number], path.name) if texts else (path.name,)
            listing = here.within(path)
            for seed in listing.folders:
                files = listing.within(seed).files_ending(_ENDINGS)
                if seed.name.isascii() and seed.name.isdigit() and files:
                    kept = (*_numbered(files, "rgb", seed), *_numbered(files, "normal", seed))
                    found.append(Asset(seed, names, kept, int(seed.name)))
        if not found:
            raise InputError(
                f"{shown(folder)}: has no PROMPT_NUMBER/SEED/rgb_*.png of GPTEval3D; give a method's folder"
            )
        return found

    def images(self, asset: Asset, ring: EvaluationSettings) -> AssetImages:
        colours = _numbered(asset.files, "rgb", asset.place)
        normals = _numbered(asset.files, "normal", asset.place)
        if normals and len(normals) != len(colours):
            raise InputError(
                f"{shown(asset.place)}: has {len(colours)} rgb_*.png and {len(normals)} normal_*.png, right is as many"
            )
        if not colours:
            raise InputError(f"{shown(asset.place)}: has no rgb_*.png")
        rgb, opacity = stack_images(colours, background=ring.background)
        size = (rgb.shape[1], rgb.shape[2])
        shown_normals = stack_images(normals, background=0.0, size=size)[0] if normals else None
        return AssetImages(rgb, opacity, shown_normals, split_azimuths(len(rgb)))

    def _method(self, methods: Listing) -> Listing:
        names = [path.name for path in methods.folders]
        if (len(names) > 1 and self.method not in names) or self.method not in {"", *names} or not names:
            known = ", ".join(shown(name) for name in names[:20]) or "none"
            raise InputError(f"{shown(methods.folder)}: method = {self.method!r}, right is one of: {known}")
        return methods.within(methods.folder / (self.method or names[0]))


def _numbered(files: Sequence[Path], kind: str, place: Path) -> list[Path]:
    """The images ``KIND_0.png``, ``KIND_1.png``, …; the numbers may start at 1 and have leading zeros.

    Raises:
        InputError: If one is missing.
    """
    found: dict[int, Path] = {}
    for path in files:
        start, _, number = path.stem.partition("_")
        if start == kind and number.isascii() and number.isdigit():
            if int(number) in found:
                raise InputError(f"{shown(path)}: is view {int(number)}, as {found[int(number)].name} is; remove one")
            found[int(number)] = path
    first = min(found, default=0)
    for index in range(min(first, 1), len(found) + min(first, 1)):
        if index not in found:
            raise InputError(f"{shown(place)}: {kind}_{index}.png is missing; azimuths need all of the views")
    return [found[index] for index in sorted(found)]


def _read_prompts(path: Path) -> list[str]:
    try:
        texts = json.loads(read_bytes(path, most=_MOST_PROMPT_BYTES))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{shown(path)}: is not JSON ({shown(error):.100})") from error
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise InputError(f"{shown(path)}: is not a list of prompts, as GPTEval3D's prompts.json is")
    return texts

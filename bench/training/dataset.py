"""The images that the toybox's models are trained on, rendered once and kept in a folder.

A surface is traced once for a kind and a camera and then painted in many colours and patterns, since
tracing costs twenty times what painting does.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from methods.atomic import replace_file
from methods.camera_range import CameraRange
from methods.cameras import sample_cameras, view_words
from methods.pixels import to_bytes
from prompts.toybox import ToyObject, all_objects, develop, is_held_out, trace
from prompts.toybox.kinds import KINDS

RESOLUTION = 64
_SUPERSAMPLE = 2
_SURFACES_PER_KIND = 300  # cameras for each kind of object
_PAINTINGS = 14  # combinations of colour and pattern for each of them
_SEED = 0  # of the cameras and the choice of combinations
_CHUNK = 25  # surfaces of one kind rendered by a worker at a time


@dataclass(frozen=True)
class ToyImages:
    """A set of images in memory-mapped arrays; ``n`` images, index by index."""

    rgba: np.ndarray  # (n 64 64 4) uint8, colour premultiplied by opacity
    toy: np.ndarray  # (n,) int, index into prompts.toybox.all_objects()
    azimuth_deg: np.ndarray  # (n,) float
    elevation_deg: np.ndarray  # (n,) float
    view: np.ndarray  # (n,) int, index into prompts.toybox.VIEWS
    held_out: np.ndarray  # (n,) bool, the object's combination is kept from training

    def __len__(self) -> int:
        return len(self.toy)

    def over(self, index: np.ndarray, background: Tensor) -> Tensor:
        """Images ``(b 3 64 64)`` in [0, 1] over grey backgrounds ``(b,)``."""
        rgba = torch.from_numpy(np.ascontiguousarray(self.rgba[index])).permute(0, 3, 1, 2).float() / 255
        return rgba[:, :3] + (1 - rgba[:, 3:]) * background[:, None, None, None]


def toy_images(folder: Path) -> ToyImages:
    """The image set in ``folder``, rendered on all cores if it is not there.

    Args:
        folder: Where the arrays are kept; one folder holds one set.

    Raises:
        ValueError: If ``folder`` holds a set made with other settings.
    """
    settings = {"surfaces_per_kind": _SURFACES_PER_KIND, "paintings": _PAINTINGS, "seed": _SEED, "version": 1}
    note = folder / "settings.json"
    if not note.exists():
        _render_all(folder)
        note.write_text(json.dumps(settings))
    if (found := json.loads(note.read_text())) != settings:
        raise ValueError(f"{folder}: holds an image set made with {found}, not {settings}; name another folder")
    names = ("rgba", "toy", "azimuth_deg", "elevation_deg", "view", "held_out")
    return ToyImages(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in names))


def _render_all(folder: Path) -> None:
    parts = folder / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    jobs = [
        (parts / f"{kind}-{start}.npz", kind, min(_CHUNK, _SURFACES_PER_KIND - start), _SEED + 1000 * index)
        for start in range(0, _SURFACES_PER_KIND, _CHUNK)
        for index, kind in enumerate(KINDS, start=start * len(KINDS))
    ]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for _ in track(pool.map(_render_part, jobs), total=len(jobs), description="toybox images"):
            pass
    loaded = [dict(np.load(job[0])) for job in jobs]
    for name in loaded[0]:
        np.save(folder / f"{name}.npy", np.concatenate([part[name] for part in loaded]))
    shutil.rmtree(parts)


def _render_part(job: tuple[Path, str, int, int]) -> None:
    path, kind, surfaces, seed = job
    if path.exists():
        return
    torch.set_num_threads(1)
    images = list(_images(kind, surfaces, seed))
    toys = all_objects()
    words = ("front view", "side view", "back view")
    with replace_file(path) as unfinished:
        np.savez(
            unfinished,
            rgba=np.stack([image[0] for image in images]),
            toy=np.array([toys.index(image[1]) for image in images]),
            azimuth_deg=np.array([image[2] for image in images]),
            elevation_deg=np.array([image[3] for image in images]),
            view=np.array([words.index(image[4]) for image in images]),
            held_out=np.array([is_held_out(image[1]) for image in images]),
        )


def _images(kind: str, surfaces: int, seed: int) -> Iterator[tuple[np.ndarray, ToyObject, float, float, str]]:
    generator = torch.Generator().manual_seed(seed)
    cameras = sample_cameras(CameraRange(), surfaces, generator)
    rays = cameras.rays(_SUPERSAMPLE * RESOLUTION)
    toys = [toy for toy in all_objects() if toy.kind == kind]
    views = view_words(cameras)
    for index in range(surfaces):
        surface = trace(kind, rays.origins[index], rays.directions[index])
        chosen = torch.randperm(len(toys), generator=generator)[:_PAINTINGS].tolist()
        for toy in (toys[number] for number in chosen):
            image = develop(surface, toy, _SUPERSAMPLE)
            rgba = torch.cat([image.rgb, image.opacity]).permute(1, 2, 0)
            yield (
                to_bytes(rgba),
                toy,
                float(cameras.azimuth_deg[index]),
                float(cameras.elevation_deg[index]),
                views[index],
            )

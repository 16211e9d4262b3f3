"""Ground-truth views of a prompt, from the cameras of the evaluation ring."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from bench.records.reading import read_png
from bench.scores.image_folder import image_folder, image_names
from bench.study.settings import EvaluationSettings
from methods.cameras import evaluation_ring
from methods.pixels import to_bytes
from metrics.views import TruthViews
from prompts import Prompt
from prompts.toybox import ToyObject, develop, render_object, trace, without_face

#: Raised by hand when the ground truth's images change.
TRUTH_VERSION = 1

_SUPERSAMPLE = 2
_RAYS_AT_ONCE = 2**19  # which are faster than those of one small image, and need some hundred megabytes
_FACELESS = "faceless"  # images of the object without its face


def truth_folders(prompt: Prompt, ring: EvaluationSettings, folder: Path) -> list[Path]:
    """Return a folder of images for every object that fits the prompt; missing ones are rendered.

    Args:
        prompt: The prompt; one without a known truth has no objects.
        ring: The evaluation cameras.
        folder: Parent of the folders, of which there is one per object and ring.
    """
    if prompt.truth is None:
        return []
    cameras = ring.model_dump_json(exclude={"snapshots", "snapshot_views"})
    key = hashlib.sha256(f"{TRUTH_VERSION} {cameras}".encode()).hexdigest()[:8]
    folders = []
    for toy in prompt.truth.objects():
        target = folder / f"{toy.name.replace(' ', '-')}--{key}"
        folders.append(image_folder(target, _names(ring.views), partial(_render, toy, ring)))
    return folders


def read_truth(folder: Path) -> TruthViews:
    """Read the images of one object, from all cameras of the ring."""
    rgb, opacity, faceless = (
        np.stack([read_png(path) for path in sorted(folder.glob(f"{kind}_*.png"))])
        for kind in ("rgb", "opacity", _FACELESS)
    )
    azimuth_deg = evaluation_ring(len(rgb)).azimuth_deg.numpy()
    return TruthViews(folder.name.split("--")[0], rgb, opacity, azimuth_deg, faceless)


def _names(count: int) -> list[str]:
    return [*image_names(count), *(f"{_FACELESS}_{index:03}.png" for index in range(count))]


def _render(toy: ToyObject, ring: EvaluationSettings, folder: Path) -> None:
    cameras = ring.cameras()
    rays = cameras.rays(ring.resolution * _SUPERSAMPLE)
    at_once = max(1, _RAYS_AT_ONCE // (ring.resolution * _SUPERSAMPLE) ** 2)
    first = 0
    for some in zip(rays.origins.split(at_once), rays.directions.split(at_once), strict=True):
        origins, directions = (part.flatten(0, 1) for part in some)  # one image below the other
        rendering = render_object(toy, origins, directions, supersample=_SUPERSAMPLE)
        bare = develop(trace(without_face(toy.kind), origins, directions), toy, _SUPERSAMPLE)
        images = {
            "rgb": rendering.over(ring.background).permute(1, 2, 0),
            "opacity": rendering.opacity[0],
            _FACELESS: bare.over(ring.background).permute(1, 2, 0),
        }
        for kind, values in images.items():
            for index, image in enumerate(values.split(ring.resolution), first):
                Image.fromarray(to_bytes(image)).save(folder / f"{kind}_{index:03}.png")
        first += len(some[0])

"""Control rows: pictures that no method made, scored like a method's, so that a table shows what its numbers span.

A metric that puts noise or another prompt's render near a method does not measure what it says.  Each control is a
function from a prompt to uint8 views; what it needs beside the prompt comes in :class:`ControlSources`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from methods.registry import Registry
from metrics.views import TruthViews, Views


@dataclass(frozen=True)
class ControlSources:
    """What the controls of one prompt draw on.

    Raises:
        ValueError: If the background is outside [0, 1].
    """

    azimuth_deg: np.ndarray  # (n,), of the evaluation ring
    resolution: int  # side of the evaluation renders, pixels
    background: float = 1.0  # grey level behind the scene, 0 black to 1 white
    seed: int = 0
    renders: Mapping[str, Views] = field(default_factory=dict)  # one method's views by prompt; insertion order counts
    sample: Callable[[str, int], np.ndarray] | None = None  # (prompt, count) to uint8 (count h w 3), of the prior in 2D
    truths: Sequence[TruthViews] = ()  # of the prompt that is scored

    def __post_init__(self) -> None:
        if not 0 <= self.background <= 1:
            raise ValueError(f"background = {self.background}: must be from 0 to 1")


#: Controls whose pictures are of no camera: there is no truth to compare them with.
WITHOUT_CAMERAS = frozenset({"prior_2d"})

#: A control: the views it puts in place of a method's for ``prompt``.
Control = Callable[[str, ControlSources], Views]

#: Every control by name.
controls: Registry[Control] = Registry("control")


@controls.register("blank")
def blank(prompt: str, sources: ControlSources) -> Views:
    """The background alone, fully transparent: what an empty scene scores."""
    grey = np.full(_shape(sources), round(255 * sources.background), dtype=np.uint8)
    return _views(grey, np.zeros(grey.shape[:3], dtype=np.uint8), sources)


@controls.register("noise")
def noise(prompt: str, sources: ControlSources) -> Views:
    """Independent uniform pixels, opaque, other ones for every prompt and seed."""
    rng = np.random.default_rng(list(hashlib.sha256(f"{sources.seed} {prompt}".encode()).digest()))
    return _opaque(rng.integers(0, 256, _shape(sources), dtype=np.uint8), sources)


@controls.register("other_prompt")
def other_prompt(prompt: str, sources: ControlSources) -> Views:
    """The render of another prompt, half the list away: as good a picture as any, of the wrong thing.

    Raises:
        ValueError: If ``prompt`` has no render, or no other prompt has one.
    """
    prompts = list(sources.renders)
    if prompt not in prompts or len(prompts) < 2:
        raise ValueError(f"other_prompt: needs the render of {prompt!r} and of one more prompt, has {len(prompts)}")
    other = sources.renders[prompts[(prompts.index(prompt) + len(prompts) // 2) % len(prompts)]]
    return replace(other, truths=tuple(sources.truths))


@controls.register("prior_2d")
def prior_2d(prompt: str, sources: ControlSources) -> Views:
    """The prior's own pictures for the prompt, a new one for each view: an upper bound, with no 3D to agree on.

    No camera took them, so they come without truths.

    Raises:
        ValueError: If there is no sampler, or it gives another number of pictures.
        TypeError: If its pictures are not uint8.
    """
    if sources.sample is None:
        raise ValueError("prior_2d: needs a sampler of the prior")
    count = len(sources.azimuth_deg)
    pictures = sources.sample(prompt, count)
    if pictures.dtype != np.uint8:
        raise TypeError(f"prior_2d: the sampler's pictures are {pictures.dtype}, right is uint8 in 0…255")
    if pictures.ndim != 4 or (pictures.shape[0], pictures.shape[-1]) != (count, 3):
        raise ValueError(f"prior_2d: the sampler's pictures are {pictures.shape}, right is ({count}, h, w, 3)")
    rgb = np.stack([_resized(picture, sources.resolution) for picture in pictures])
    return replace(_opaque(rgb, sources), truths=())


def _resized(picture: np.ndarray, side: int) -> np.ndarray:
    """At the size of the evaluation renders, which is part of CLIP-IQA."""
    if picture.shape[:2] == (side, side):
        return picture
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def _shape(sources: ControlSources) -> tuple[int, int, int, int]:
    return len(sources.azimuth_deg), sources.resolution, sources.resolution, 3


def _opaque(rgb: np.ndarray, sources: ControlSources) -> Views:
    return _views(rgb, np.full(rgb.shape[:3], 255, dtype=np.uint8), sources)


def _views(rgb: np.ndarray, opacity: np.ndarray, sources: ControlSources) -> Views:
    return Views(rgb, opacity, sources.azimuth_deg, tuple(sources.truths))

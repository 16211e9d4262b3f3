"""Frames of a video or an animation, spread over it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.errors import InputError
from bench.imports.decoding import over, require_few_pixels
from bench.imports.files import MOST_BYTES, read_bytes, shown
from bench.imports.stacking import require_room
from bench.imports.strict_decoding import strict_decoding

#: Formats of the library by the ending of the file.  They are not left to be found: a playlist may name other files.
FORMATS = {".mp4": "mp4", ".webm": "matroska"}

#: Most frames of a video.
MOST_FRAMES = 10_000


def spread_frames(path: Path, count: int, *, background: float) -> tuple[np.ndarray, tuple[float, ...]]:
    """Read ``count`` of the frames of a video, the first one and others at equal steps of the numbering.

    Args:
        path: An MP4 or WebM file, or an animated GIF.
        count: Number of frames to read.
        background: Grey level in [0, 1] behind transparent pixels of a GIF.

    Returns:
        The frames, uint8 ``(count h w 3)``, and the share in [0, 1) of the video that is before each.

    Raises:
        InputError: If it cannot be decoded, has fewer frames or too many, or the package is missing.
        StorageError: If the file system refuses to read it.
    """
    content = read_bytes(path, most=MOST_BYTES)
    name = shown(path)
    is_gif = path.suffix.lower() == ".gif"
    frames = _gif_frames if is_gif else _video_frames
    with strict_decoding(name):
        total = sum(1 for _ in frames(content, path, name))
    if total < count:
        raise InputError(f"{name}: has {total} frames, views = {count} needs at least as many")
    places = [index * total // count for index in range(count)]
    with strict_decoding(name):
        chosen = _choose(frames(content, path, name), places, background, name)
    return chosen, tuple(place / total for place in places)


def _choose(
    frames: Iterator[Callable[[], np.ndarray]], places: Sequence[int], background: float, name: str
) -> np.ndarray:
    found = np.empty(0, np.uint8)
    wanted = {place: index for index, place in enumerate(places)}
    for place, decode in enumerate(frames):
        if place not in wanted:
            continue
        pixels = decode()
        rgb = pixels if pixels.shape[-1] == 3 else over(pixels[..., :3], pixels[..., 3], background)
        if not found.size:
            height, width = rgb.shape[:2]
            require_room(len(places), height, width, name)
            found = np.empty((len(places), *rgb.shape), np.uint8)
        if rgb.shape != found.shape[1:]:
            raise InputError(f"{name}: frame {place} has another size than the first")
        found[wanted[place]] = rgb
    return found


def _video_frames(content: bytes, path: Path, name: str) -> Iterator[Callable[[], np.ndarray]]:
    av = _require_av(name)
    with av.open(io.BytesIO(content), format=FORMATS[path.suffix.lower()]) as container:
        if not container.streams.video:
            raise InputError(f"{name}: has no video")
        stream = container.streams.video[0]
        require_few_pixels(stream.codec_context.width, stream.codec_context.height, name)
        for count, frame in enumerate(container.decode(stream)):
            _require_few(count, name)
            require_few_pixels(frame.width, frame.height, name)
            if getattr(frame, "rotation", 0):
                raise InputError(f"{name}: is turned by {frame.rotation}° when it is shown; encode it upright")
            yield partial(frame.to_ndarray, format="rgb24")


def _gif_frames(content: bytes, path: Path, name: str) -> Iterator[Callable[[], np.ndarray]]:
    with Image.open(io.BytesIO(content), formats=["GIF"]) as image:
        require_few_pixels(*image.size, name)
        for count in range(MOST_FRAMES + 1):
            try:
                image.seek(count)
            except EOFError:
                return
            _require_few(count, name)
            yield lambda: np.asarray(image.convert("RGBA"))


def _require_few(count: int, name: str) -> None:
    if count >= MOST_FRAMES:
        raise InputError(f"{name}: has more than {MOST_FRAMES} frames, the most that are read")


def _require_av(name: str) -> Any:
    try:
        import av
    except ImportError as error:
        raise InputError(f"{name}: videos need the package av: pip install '.[video]'") from error
    return av

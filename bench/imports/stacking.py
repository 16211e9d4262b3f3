"""Several image files as one array."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.errors import InputError
from bench.imports.decoding import read_image
from bench.imports.files import shown

#: Most pixels of all images of an object together: 1.2 GB of colours.
MOST_PIXELS_IN_ALL = 400_000_000


def stack_images(
    files: Sequence[Path], *, background: float, size: tuple[int, int] | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Read images of one size.

    Args:
        files: The images, at least one.
        background: Grey level in [0, 1] behind transparent pixels.
        size: The height and width that they must have; None for those of the first.

    Returns:
        Colours, uint8 ``(n h w 3)``, and opacity from the alpha channels, uint8 ``(n h w)``; an image without such a
        channel is opaque.  None if all pixels of all images are opaque: such a channel says nothing of the object.

    Raises:
        InputError: If an image cannot be used, or has another size than the others.
        StorageError: If the file system refuses to read one.
    """
    rgb = opacity = np.empty(0, np.uint8)
    for index, path in enumerate(files):
        colours, alpha = read_image(path, background=background)
        shape = colours.shape[:2]
        size = size or shape
        if shape != size:
            raise InputError(f"{shown(path)}: has {_size(shape)} pixels, right is {_size(size)}, as the others have")
        if index == 0:
            require_room(len(files), *size, shown(path.parent))
            rgb, opacity = (
                np.empty((len(files), *colours.shape), np.uint8),
                np.full((len(files), *shape), 255, np.uint8),
            )
        rgb[index] = colours
        if alpha is not None:
            opacity[index] = alpha
    return rgb, None if (opacity == 255).all() else opacity


def stack_greys(files: Sequence[Path], size: tuple[int, int]) -> np.ndarray:
    """Read grey images of one size, uint8 ``(n h w)``.

    Raises:
        InputError: If an image cannot be used, has colours, or has another size.
        StorageError: If the file system refuses to read one.
    """
    rgb, _ = stack_images(files, background=0.0, size=size)
    for path, image in zip(files, rgb, strict=True):
        require_grey(image, shown(path))
    return np.ascontiguousarray(rgb[..., 0])


def require_grey(rgb: np.ndarray, what: str) -> None:
    """Check that an opacity image ``(h w 3)`` has no colours.

    Raises:
        InputError: If it has.
    """
    if (rgb != rgb[..., :1]).any():
        raise InputError(f"{what}: has colours, right is a grey image of the opacity")


def require_room(count: int, height: int, width: int, what: str) -> None:
    """Check the size of all images of an object together.

    Raises:
        InputError: If they have more than ``MOST_PIXELS_IN_ALL``.
    """
    if count * height * width > MOST_PIXELS_IN_ALL:
        raise InputError(
            f"{what}: {count} images of {_size((height, width))} pixels are more than {MOST_PIXELS_IN_ALL} in all, "
            "the most that are read; give fewer or smaller ones"
        )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} × {shape[0]}"

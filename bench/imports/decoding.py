"""Image files to pixels: 8 and 16 bits, grey, palette, transparency, EXIF rotation; what is hostile is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from bench.errors import InputError
from bench.imports.files import MOST_IMAGE_BYTES, read_bytes, shown
from bench.imports.strict_decoding import strict_decoding

#: Endings of the image files that layouts look for.
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")

#: Most pixels of an image.
MOST_PIXELS = 16_000_000

#: Formats that are decoded, by content and not by name.  GIF and BMP are among them for images with a wrong ending.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


def read_image(path: Path, *, background: float) -> tuple[np.ndarray, np.ndarray | None]:
    """Read an image as it is shown: EXIF rotation applied, a palette looked up, 16 bits reduced to their upper 8.

    Colour profiles and gamma chunks are not applied: renders are sRGB.

    Args:
        path: A PNG, JPEG, WebP, GIF or BMP file of one frame.
        background: Grey level in [0, 1] behind transparent pixels.

    Returns:
        Colours, uint8 ``(h w 3)``, over the background; and the alpha channel, uint8 ``(h w)``, None without one.

    Raises:
        InputError: If it is not such an image, is cut short, has more than ``MOST_PIXELS`` or several frames, or its
            colours are not grey or RGB.
        StorageError: If the file system refuses to read it.
    """
    return decode_image(read_bytes(path, most=MOST_IMAGE_BYTES), shown(path), background=background)


def decode_image(
    content: bytes, name: str, *, background: float, most: int = MOST_PIXELS
) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode the content of an image file as :func:`read_image` does.

    Args:
        content: The file.
        name: Its name for messages.
        background: Grey level in [0, 1] behind transparent pixels.
        most: Most pixels of the image.

    Raises:
        InputError: As :func:`read_image` raises it.
    """
    with strict_decoding(name), Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        require_few_pixels(*image.size, name, most)
        _require_one_frame(image, name)
        image.load()
        return _pixels(ImageOps.exif_transpose(image), background, name)


def require_few_pixels(width: int, height: int, name: str, most: int = MOST_PIXELS) -> None:
    """Check a size before anything of it is allocated.

    Raises:
        InputError: If there are no pixels, or more than ``most``.
    """
    if not 0 < width * height <= most:
        raise InputError(f"{name}: has {width} × {height} pixels, right is up to {most} in all")


def over(rgb: np.ndarray, alpha: np.ndarray, background: float) -> np.ndarray:
    """Colours uint8 ``(h w 3)`` over a grey level in [0, 1], with straight alpha uint8 ``(h w)``, rounded."""
    share = alpha[..., None].astype(np.float32) / 255
    return np.rint(rgb * share + np.float32(255 * background) * (1 - share)).astype(np.uint8)


def _require_one_frame(image: Image.Image, name: str) -> None:
    if getattr(image, "is_animated", False):
        raise InputError(f"{name}: is an animation, right is an image of one frame")


def _pixels(image: Image.Image, background: float, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    if image.mode in {"LA", "PA", "RGBA", "La", "RGBa"} or "transparency" in image.info:
        pixels = np.asarray(image.convert("RGBA"))
        rgb, alpha = pixels[..., :3], np.ascontiguousarray(pixels[..., 3])
        return over(rgb, alpha, background), alpha
    if image.mode.startswith("I"):  # 16 bits of grey
        values = np.asarray(image)
        if values.min() < 0 or values.max() >= 2**16:
            raise InputError(f"{name}: has values of more than 16 bits, right is 8 or 16 bits")
        grey = (values.astype(np.uint32) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1), None
    if image.mode not in {"1", "L", "P", "RGB"}:
        raise InputError(f"{name}: has colours in {image.mode}, right is grey or RGB: convert it")
    return np.array(image.convert("RGB")), None

"""Bytes of image files that are broken or meant to harm."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *extra: bytes, data: bytes | None = None) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = zlib.compress(b"\0" * (1 + 3 * 8) * 8) if data is None else data
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def encoded(kind: str, *, frames: int = 1, mode: str = "RGB", side: int = 64) -> bytes:
    draws = np.random.default_rng(0)
    shape = (side, side, 4 if mode == "CMYK" else 3)
    images = [Image.fromarray(draws.integers(0, 255, shape, np.uint8), mode) for _ in range(frames)]
    out = io.BytesIO()
    images[0].save(out, kind, save_all=frames > 1, append_images=images[1:]) if frames > 1 else images[0].save(
        out, kind
    )
    return out.getvalue()


def _zeros(megabytes: int) -> bytes:
    return zlib.compress(b"\0" * (megabytes * 2**20), 9)


def _cut(kind: str) -> bytes:
    content = encoded(kind)
    return content[: len(content) // 2]


#: Content of a file and the end of its message.
HOSTILE = {
    "empty": (b"", r"is empty \(0 bytes\)"),
    "text": (b"hello\n", "is not an image of"),
    "html": (b"<html><body>404</body></html>", "is not an image of"),
    "a pointer of Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "is not an image"),
    "only a signature": (b"\x89PNG\r\n\x1a\n", "is not an image|cannot be decoded"),
    "PNG cut short": (_cut("PNG"), "cannot be decoded"),
    "JPEG cut short": (_cut("JPEG"), "cannot be decoded"),
    "WebP cut short": (_cut("WEBP"), "cannot be decoded|is not an image"),
    "GIF cut short": (_cut("GIF"), "cannot be decoded"),
    "BMP cut short": (_cut("BMP"), "cannot be decoded"),
    "PNG with a wrong checksum": (
        encoded("PNG")[:40] + b"\xff\xff\xff\xff" + encoded("PNG")[44:], "cannot be decoded|is not an image"
    ),
    "PNG with noise for pixels": (png(8, 8, data=b"\x00\x01\x02\x03" * 9), "cannot be decoded"),
    "PNG without pixels": (png(8, 8, data=b""), "cannot be decoded"),
    "PNG of width 0": (png(0, 8), "has 0 × 8 pixels|cannot be decoded|is not an image"),
    "30 000 pixels a side": (png(30_000, 30_000), "has far more pixels than are read"),
    "10 000 pixels a side": (png(10_000, 10_000), "has far more pixels than are read"),
    "20 megapixels": (png(5000, 4000), "has 5000 × 4000 pixels, right is up to 16000000 in all"),
    "2 billion pixels a side": (png(2**31 - 1, 2**31 - 1), "has far more pixels"),
    "JPEG of 65 500 pixels": (
        encoded("JPEG").replace(b"\x00\x40\x00\x40\x03", b"\xff\xdc\xff\xdc\x03"), "has far more pixels"
    ),
    "GIF of 65 535 pixels": (b"GIF89a\xff\xff\xff\xff" + encoded("GIF")[10:], "has far more pixels"),
    "BMP of 100 000 pixels": (
        encoded("BMP")[:18] + struct.pack("<ii", 100_000, 100_000) + encoded("BMP")[26:], "has far more pixels"
    ),
    "a text that inflates": (png(8, 8, chunk(b"zTXt", b"a\0\0" + _zeros(2))), "cannot be decoded"),
    "an international text that inflates": (png(8, 8, chunk(b"iTXt", b"a\0\1\0\0\0" + _zeros(2))), "cannot be decoded"),
    "many texts that inflate": (png(8, 8, *[chunk(b"zTXt", b"a\0\0" + _zeros(1))] * 80), "cannot be decoded"),
    "animated PNG": (encoded("PNG", frames=2, side=8), "is an animation, right is an image of one frame"),
    "animated GIF": (encoded("GIF", frames=2, side=8), "is an animation"),
    "animated WebP": (encoded("WEBP", frames=2, side=8), "is an animation"),
    "CMYK": (encoded("JPEG", mode="CMYK"), "has colours in CMYK, right is grey or RGB"),
    "TIFF": (encoded("TIFF"), "is not an image of"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "is not an image of"),
    "pickle": (b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07builtin.", "is not an image of"),
}  # fmt: skip

"""Images of every kind become the same pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from foreign_renders import colours, opacity
from PIL import Image, ImageFile

from bench.errors import InputError
from bench.imports.decoding import read_image

RGB = colours(0)
GREY = np.repeat(opacity(0)[..., None], 3, axis=-1)


def write(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def png16(path: Path, values: np.ndarray) -> Path:
    """A PNG of 16 bits by the format's own rules, since Pillow writes grey ones only."""
    import struct
    import zlib

    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    )
    return path


def test_lossless_formats_keep_every_byte(tmp_path: Path) -> None:
    image = Image.fromarray(RGB)
    for path in (
        write(tmp_path / "a.png", image),
        write(tmp_path / "a.webp", image, lossless=True),
        write(tmp_path / "a.bmp", image),
        write(tmp_path / "palette.png", image.quantize(256)),
    ):
        rgb, alpha = read_image(path, background=0.0)
        assert np.array_equal(rgb, RGB)
        assert rgb.dtype == np.uint8
        assert alpha is None


def test_grey_of_1_8_and_16_bits(tmp_path: Path) -> None:
    grey = opacity(0)
    for path in (
        write(tmp_path / "8.png", Image.fromarray(grey)),
        write(tmp_path / "16.png", Image.fromarray(grey.astype(np.uint16) * 257)),
        png16(tmp_path / "la.png", np.dstack([grey.astype(np.uint16) * 257, np.full((8, 8), 65535)])),
    ):
        assert np.array_equal(read_image(path, background=0.0)[0], GREY), path.name
    bits = write(tmp_path / "1.png", Image.fromarray(grey > 100))
    assert np.array_equal(read_image(bits, background=0.0)[0][..., 0], np.where(grey > 100, 255, 0))


def test_colours_of_16_bits(tmp_path: Path) -> None:
    path = png16(tmp_path / "a.png", RGB.astype(np.uint16) * 257)
    assert np.array_equal(read_image(path, background=0.0)[0], RGB)
    path = png16(tmp_path / "b.png", np.dstack([RGB, opacity(0)]).astype(np.uint16) * 257)
    rgb, alpha = read_image(path, background=0.25)
    assert alpha is not None
    assert np.array_equal(alpha, opacity(0))
    share = opacity(0)[..., None] / 255
    assert np.abs(rgb - (RGB * share + 63.75 * (1 - share))).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("background", [0.0, 0.5, 1.0])
def test_transparent_pixels_show_the_background(tmp_path: Path, background: float) -> None:
    alpha = np.zeros((8, 8), np.uint8)
    alpha[:4] = 255
    rgba = Image.fromarray(np.dstack([RGB, alpha]))
    grey = Image.fromarray(np.dstack([opacity(0), alpha]))
    for path, top in (
        (write(tmp_path / "a.png", rgba), RGB),
        (write(tmp_path / "a.webp", rgba, lossless=True), RGB),
        (write(tmp_path / "la.png", grey), GREY),
    ):
        rgb, found = read_image(path, background=background)
        assert found is not None
        assert np.array_equal(found, alpha)
        assert np.array_equal(rgb[:4], top[:4])
        assert (rgb[4:] == round(255 * background)).all()


def test_a_colour_or_a_palette_may_be_transparent(tmp_path: Path) -> None:
    key = write(tmp_path / "key.png", Image.fromarray(RGB), transparency=tuple(int(value) for value in RGB[2, 3]))
    palette = write(tmp_path / "palette.png", Image.fromarray(RGB).quantize(256), transparency=0)
    for path in (key, palette):
        rgb, alpha = read_image(path, background=1.0)
        assert alpha is not None
        assert sorted(set(alpha.flat)) == [0, 255]
        assert (rgb[alpha == 0] == 255).all()


@pytest.mark.parametrize(("orientation", "turn"), [(3, 2), (6, 3), (8, 1)])
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    wide = np.concatenate([RGB, RGB], axis=1)
    for path in (
        write(tmp_path / "a.png", Image.fromarray(wide), exif=exif),
        write(tmp_path / "a.jpg", Image.fromarray(wide), exif=exif, quality=100, subsampling=0),
    ):
        found = read_image(path, background=0.0)[0].astype(int)
        assert np.abs(found - np.rot90(wide, turn)).max() <= 6 * (path.suffix == ".jpg")


def test_a_jpeg_is_close_and_a_wrong_ending_does_not_matter(tmp_path: Path) -> None:
    content = io.BytesIO()
    Image.fromarray(RGB).save(content, "JPEG", quality=98, subsampling=0)
    (tmp_path / "a.png").write_bytes(content.getvalue())
    rgb, alpha = read_image(tmp_path / "a.png", background=0.0)
    assert np.abs(rgb.astype(int) - RGB).max() <= 8
    assert alpha is None


@pytest.mark.parametrize("mode", ["CMYK"])
def test_other_colours_are_refused(tmp_path: Path, mode: str) -> None:
    path = write(tmp_path / "a.jpg", Image.new(mode, (8, 8)))
    with pytest.raises(InputError, match="has colours in CMYK, right is grey or RGB: convert it"):
        read_image(path, background=0.0)


def test_an_image_that_is_cut_short_is_refused_whatever_another_library_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.png", Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)))
    path.write_bytes(path.read_bytes()[:6000])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert np.asarray(Image.open(path)).shape == (64, 64, 3)
    with pytest.raises(InputError, match="cannot be decoded"):
        read_image(path, background=0.0)
    assert ImageFile.LOAD_TRUNCATED_IMAGES

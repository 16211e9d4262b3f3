"""Folders that are broken or meant to harm: one line each, at once."""

from __future__ import annotations

import errno
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from foreign_renders import (
    colours,
    normals,
    opacity,
    save,
    write_frames,
    write_gif,
    write_gpteval3d,
    write_threestudio_trial,
)
from hostile_images import HOSTILE, png
from hostile_places import RING, Maker, link, listen, refuse, replace, sparse

from bench.errors import StorageError
from bench.imports.layouts import layouts


@pytest.mark.parametrize("what", HOSTILE)
def test_an_image(tmp_path: Path, what: str) -> None:
    content, message = HOSTILE[what]
    folder = write_frames(tmp_path / "a_duck")
    (folder / "2.png").write_bytes(content)
    refuse("frames", tmp_path, rf"a_duck/2\.png: .*({message})")


def test_the_same_images_in_a_grid_and_next_to_colours(tmp_path: Path) -> None:
    trial = write_threestudio_trial(tmp_path / "exp" / "a")
    (trial / "save" / "it10000-test" / "1.png").write_bytes(HOSTILE["PNG cut short"][0])
    refuse("threestudio", tmp_path, r"it10000-test/1\.png: cannot be decoded")
    method = write_gpteval3d(tmp_path / "g", "m", ["a", "b"])
    (method / "1" / "0" / "normal_1.png").write_bytes(HOSTILE["30 000 pixels a side"][0])
    refuse("gpteval3d", method, r"normal_1\.png: has far more pixels")


OF_2_PNG: dict[str, tuple[Maker, str]] = {
    "a folder": (replace(Path.mkdir), r"2\.png: is a folder, right is a file with this name"),
    "a pipe": (replace(os.mkfifo), r"2\.png: is a pipe, a socket or a device, right is a file"),
    "a socket": (listen, r"2\.png: is a pipe, a socket or a device"),
    "a link to a device": (link("/dev/zero"), r"2\.png: is a link that leads out of .*; copy what it leads to into it"),
    "a link to a file of the system": (link("/etc/passwd"), r"2\.png: is a link that leads out of"),
    "a relative link out": (link("../../outside.png"), r"2\.png: is a link that leads out of"),
    "a link to itself": (link("2.png"), r"2\.png: (is a link that leads out of|cannot be read)"),
    "a broken link": (link("not_here.png"), r"2\.png: cannot be read \(No such file or directory\)"),
    "too large": (sparse(65 * 2**20), r"2\.png: has 68157440 bytes, right is up to 67108864"),
    "another size": (lambda p: save(colours(0, 9), p), r"2\.png: has 9 × 9 pixels, right is 8 × 8, as the others have"),
    "missing": (Path.unlink, r"3\.png: follows number 1, but the others are 1 apart: is an image missing\?"),
    "twice": (lambda p: save(colours(0), p.with_name("02.png")), r"follows number 0|follows number 2"),
    "twice by ending": (lambda p: save(colours(0), p.with_suffix(".webp")), r"is there twice, also as 2\.(png|webp)"),
    "no others of its kind": (
        lambda p: save(opacity(0), p.with_name("opacity_2.png")),
        r"0\.png: has no opacity image",
    ),
    "opacity of nothing": (
        lambda p: [save(opacity(0), p.with_name(f"opacity_{name}.png")) for name in "01239"],
        r"opacity_9\.png: has no colour image of the same name",
    ),
    "coloured opacity": (
        lambda p: [save(colours(0), p.with_name(f"alpha_{name}.png")) for name in "0123"],
        r"alpha_0\.png: has colours, right is a grey image",
    ),
    "opacity of another size": (
        lambda p: [save(opacity(0, 9), p.with_name(f"alpha_{name}.png")) for name in "0123"],
        r"alpha_0\.png: has 9 × 9 pixels, right is 8 × 8",
    ),
    "normals of another size": (
        lambda p: [save(normals(0, 9), p.with_name(f"normal_{name}.png")) for name in "0123"],
        r"normal_0\.png: has 9 × 9 pixels, right is 8 × 8",
    ),
}


@pytest.mark.parametrize("what", OF_2_PNG)
def test_a_place(tmp_path: Path, what: str) -> None:
    make, message = OF_2_PNG[what]
    save(colours(0), tmp_path / "outside.png")
    make(write_frames(tmp_path / "renders" / "a_duck") / "2.png")
    refuse("frames", tmp_path / "renders", message)


FOLDERS: dict[str, tuple[Maker, str]] = {
    "nothing": (lambda p: None, "cannot be read .No such file or directory.; give a folder with renders"),
    "a file": (lambda p: p.write_bytes(b"x"), "is a file, right is a folder"),
    "a pipe": (os.mkfifo, "is a file, right is a folder"),
    "a loop of links": (lambda p: p.symlink_to(p.name), "cannot be read"),
    "empty": (Path.mkdir, r"has no images \(\.png, \.jpg"),
    "only folders": (lambda p: (p / "a" / "b" / "c").mkdir(parents=True), "has no images"),
    "only what systems leave": (lambda p: save(colours(0), p / "__MACOSX" / "._0.png"), "has no images"),
    "a prompt elsewhere": (
        lambda p: (p.mkdir(), (p / "a_duck").symlink_to("/etc")), "a_duck: is a link that leads out of"
    ),
    "a preview next to prompts": (
        lambda p: (write_frames(p / "a"), save(colours(0), p / "preview.png")),
        r"preview\.png: is an image next to folders with images \(a\)",
    ),
    "a preview next to seeds": (
        lambda p: (write_frames(p / "a" / "0"), save(colours(0), p / "a" / "preview.png")),
        r"preview\.png: is an image next to folders with images \(0\)",
    ),
    "only normals": (lambda p: save(normals(0), p / "a" / "normal_0.png"), "a: has no colour images, only normal"),
    "a run without views": (
        lambda p: (p / "cells" / "sdi--a-duck--s0--0123abcd").mkdir(parents=True), "cells: has no cells with views"
    ),
    "a run with a broken record": (
        lambda p: (
            save(colours(0), p / "cells" / "sdi--a-duck--s0--0123abcd" / "views" / "rgb_000.png"),
            (p / "cells" / "sdi--a-duck--s0--0123abcd" / "record.json").write_text("[" * 100_000),
        ),
        r"record\.json: is not the record of a cell",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FOLDERS)
def test_a_folder(tmp_path: Path, what: str) -> None:
    make, message = FOLDERS[what]
    make(tmp_path / "renders")
    refuse("frames", tmp_path / "renders", message)


NAMES = {
    "a line break": b"2\n.png",
    "commands to a terminal": b"\x1b[2J\x1b]0;x\x07.png",
    "bytes that are no text": b"\xff\xfe2.png",
    "right to left": "\u202egnp.png".encode(),
    "as long as it can be": b"2" * 251 + b".png",
}


@pytest.mark.parametrize("what", NAMES)
def test_a_name(tmp_path: Path, what: str) -> None:
    (tmp_path / "a\nb").mkdir()
    (tmp_path / "a\nb" / os.fsdecode(NAMES[what])).write_bytes(b"x")
    refuse("frames", tmp_path, r"a\\nb/.*png: is not an image")
    layout = layouts["frames"]()
    [asset] = layout.assets(tmp_path)
    assert asset.names == ("a\nb",)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_refusal_to_read_is_one_of_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    write_frames(tmp_path / "a\x1bduck")

    def refused(*args: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("bench.imports.files.os.open", refused)
    refuse("frames", tmp_path, r"a\\x1bduck/0\.png: cannot be read", StorageError)
    monkeypatch.undo()
    monkeypatch.setattr("bench.imports.listing.os.scandir", refused)
    refuse("frames", tmp_path, "cannot be read", StorageError)


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.imports.listing.MOST_ENTRIES", 3)
    write_frames(tmp_path / "f" / "many", 4)
    refuse("frames", tmp_path / "f", "many: has more than 3 entries, the most that are read")
    write_threestudio_trial(tmp_path / "t" / "exp" / "a", views=4)
    refuse("threestudio", tmp_path / "t", "it10000-test: has more than 3 entries")


def test_no_more_entries_are_looked_at_than_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def entries(folder: object) -> nullcontext[Iterator[object]]:
        return nullcontext(asked.append(index) or index for index in range(10**5))

    with monkeypatch.context() as patch:
        patch.setattr("bench.imports.listing.os.scandir", entries)
        refuse("frames", tmp_path, "has more than 20000 entries")
    assert len(asked) == 20_001


def test_too_many_pixels_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.imports.stacking.MOST_PIXELS_IN_ALL", 255)
    write_frames(tmp_path / "f" / "a_duck")
    refuse("frames", tmp_path / "f", "a_duck: 4 images of 8 × 8 pixels are more than 255 in all")
    write_threestudio_trial(tmp_path / "t" / "a")
    refuse("threestudio", tmp_path / "t", "4 images of 24 × 8 pixels are more than 255")
    write_gif(tmp_path / "v" / "a.gif", [colours(view) for view in range(24)])
    refuse("video", tmp_path / "v", "24 images of 8 × 8 pixels are more than 255")


def test_a_bomb_in_the_pixels_is_not_inflated(tmp_path: Path) -> None:
    """Rows after the last are left in their compressed form, so this one is read, and at once."""
    save(colours(0), tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes(png(8, 8, data=zlib.compress(b"\0" * 2**26)))
    start = time.process_time()
    layout = layouts["frames"]()
    assert layout.images(layout.assets(tmp_path)[0], RING).rgb.shape == (2, 8, 8, 3)
    assert time.process_time() - start < 1.0

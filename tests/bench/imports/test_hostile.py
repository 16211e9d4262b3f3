"""Folders that are broken or meant to harm: one line each, at once."""

from __future__ import annotations

import errno
import json
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import trimesh
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
from hostile_images import HOSTILE, encoded, png
from PIL import Image

from bench.errors import InputError, StorageError
from bench.imports import layouts
from bench.study.settings import EvaluationSettings

RING = EvaluationSettings(views=2, resolution=8)
Maker = Callable[[Path], object]

layouts.names()  # imports their modules, which takes a second


def read_all(layout: str, folder: Path) -> None:
    reader = layouts[layout]()
    for asset in reader.assets(folder):
        reader.images(asset, RING)


def refuse(layout: str, folder: Path, message: str, kind: type[InputError] = InputError) -> None:
    """The layout refuses the folder in one line that any terminal shows, within a second."""
    start = time.process_time()
    with pytest.raises(InputError, match=message) as caught:
        read_all(layout, folder)
    assert time.process_time() - start < 1.0
    text = str(caught.value)
    assert type(caught.value) is kind
    assert text.isprintable()
    assert len(text) < 1000


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
    refuse("gpteval3d", method, r"normal_1\.png: has far more than")


def link(target: str | Path) -> Callable[[Path], object]:
    def make(place: Path) -> None:
        place.unlink(missing_ok=True)
        place.symlink_to(target)

    return make


def listen(place: Path) -> None:
    place.unlink()
    here = Path.cwd()
    os.chdir(place.parent)  # the name of a socket is short
    try:
        server = socket.socket(socket.AF_UNIX)
        server.bind(place.name)
        server.close()
    finally:
        os.chdir(here)


def sparse(size: int) -> Callable[[Path], object]:
    def make(place: Path) -> None:
        with place.open("wb") as file:
            file.truncate(size)

    return make


def replace(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def remade(place: Path) -> None:
        place.unlink()
        make(place)

    return remade


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


TRIALS: dict[str, tuple[str, Maker, str]] = {
    "a tag of Python": (
        "configs/parsed.yaml",
        lambda p: p.write_text("a: !!python/object/apply:os.system [id]"),
        "is not YAML",
    ),
    "aliases": (
        "configs/parsed.yaml",
        lambda p: p.write_text(
            "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
        ),
        "has an alias, which threestudio does not write",
    ),
    "deep": ("configs/parsed.yaml", lambda p: p.write_text("[" * 20_000), "is not YAML"),
    "a list": ("configs/parsed.yaml", lambda p: p.write_text("- a"), r"\(no table\)"),
    "no text": ("configs/parsed.yaml", lambda p: p.write_bytes(b"\xff\xfe\x00"), "is not UTF-8"),
    "control characters": ("configs/parsed.yaml", lambda p: p.write_bytes(b"a: \x1b[2J"), "is not YAML"),
    "large": ("configs/parsed.yaml", sparse(2**20), "has 1048576 bytes, right is up to 65536"),
    "a pipe": ("configs/parsed.yaml", replace(os.mkfifo), "is a pipe"),
    "elsewhere": ("configs/parsed.yaml", link("/etc/passwd"), "is a link that leads out of"),
    "a folder": ("cmd.txt", replace(Path.mkdir), r"cmd\.txt: is a folder"),
    "an empty command": ("cmd.txt", lambda p: p.write_bytes(b""), "is empty"),
    "a view is missing": (
        "save/it10000-test/2.png",
        Path.unlink,
        "has 3 test views, right is 4, and view 2 is missing",
    ),
    "a view more": ("save/it10000-test/4.png", lambda p: save(colours(0), p), "has 5 test views, right is 4"),
    "another size": (
        "save/it10000-test/3.png",
        lambda p: save(colours(0), p),
        r"3\.png: has 8 × 8 pixels, right is 24 × 8",
    ),
    "uneven panels": (
        "save/it10000-test/0.png",
        lambda p: save(np.zeros((8, 20, 3), np.uint8), p),
        "what its panels of",
    ),
}


@pytest.mark.parametrize("what", TRIALS)
def test_a_trial(tmp_path: Path, what: str) -> None:
    place, make, message = TRIALS[what]
    make(write_threestudio_trial(tmp_path / "exp" / "a") / place)
    refuse("threestudio", tmp_path, message)


def glb(image: bytes, **changes: object) -> bytes:
    """A triangle with a texture, as trimesh writes it, with other bytes for the texture."""
    mesh = trimesh.Trimesh(np.eye(3), [[0, 1, 2]], process=False)
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(colours(0)))
    mesh.visual = trimesh.visual.TextureVisuals(uv=np.eye(3)[:, :2], material=material)
    content = mesh.export(file_type="glb")
    length = struct.unpack_from("<I", content, 12)[0]
    tree, binary = json.loads(content[20 : 20 + length]), content[28 + length :]
    view = tree["bufferViews"][tree["images"][0]["bufferView"]]
    view["byteOffset"], view["byteLength"] = len(binary), len(image)
    binary += image + b"\0" * (-len(image) % 4)
    tree["buffers"][0]["byteLength"] = len(binary)
    text = json.dumps({**tree, **changes}).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sIIII", b"glTF", 2, 28 + len(text) + len(binary), len(text), 0x4E4F534A)
    return head + text + struct.pack("<II", len(binary), 0x004E4942) + binary


GOOD_GLB = glb(encoded("PNG"))

MESHES: dict[str, tuple[str, bytes, str]] = {
    "no GLB": ("a.glb", b"hello", "is not a whole GLB"),
    "GLB cut short": ("a.glb", GOOD_GLB[: len(GOOD_GLB) // 2], "is not a whole GLB|is cut short|cannot be read as GLB"),
    "GLB of another version": ("a.glb", GOOD_GLB.replace(b"glTF\x02", b"glTF\x01"), "is not a whole GLB of version 2"),
    "a texture of 30 000 pixels": ("a.glb", glb(png(30_000, 30_000)), "image 0: has far more than"),
    "a broken texture": ("a.glb", glb(encoded("PNG")[:99]), "image 0: cannot be decoded"),
    "a texture elsewhere": ("a.glb", glb(b"", images=[{"uri": "file:///etc/passwd"}]), "image 0: is in another file"),
    "compressed geometry": (
        "a.glb", glb(encoded("PNG"), extensionsRequired=["KHR_draco_mesh_compression"]), "needs 'KHR_draco_mesh"
    ),
    "deep": ("a.glb", struct.pack("<4s4I", b"glTF", 2, 0, 50_000, 0x4E4F534A) + b"[" * 50_000, "is not a whole GLB"),
    "an OBJ without triangles": ("a.obj", b"v 0 0 0\nv 1 0 0\n", "holds (points and no|no points and no) triangles"),
    "an OBJ of noise": ("a.obj", bytes(range(256)), "cannot be read as OBJ|holds no points"),
    "faces of points that are not there": ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "cannot be read as OBJ"),
    "points that are not numbers": ("a.obj", b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "1 of its 3 points are not"),
    "no area": ("a.obj", b"v 0 0 0\nv 0 0 0\nv 0 0 0\nf 1 2 3\n", "its triangles have no area"),
    "materials elsewhere": ("a.obj", b"mtllib ../../a.mtl\nv 0 0 0\n", "which is outside of its folder"),
    "materials at an absolute place": ("a.obj", b"mtllib /etc/passwd\nv 0 0 0\n", "names the file '/etc/passwd'"),
    "materials by a name of noise": ("a.obj", b"mtllib \xff\x1b[2J.mtl\nv 0 0 0\n", "which is missing; copy it"),
    "a PLY of noise": ("a.ply", b"ply\nformat binary_little_endian 1.0\nelement", "cannot be read as PLY"),
    "a PLY of more than there is": (
        "a.ply",
        b"ply\nformat binary_little_endian 1.0\nelement vertex 999999999999\nproperty float x\nend_header\n",
        "cannot be read as PLY",
    ),
    "an empty PLY": ("a.ply", b"", "is empty"),
}  # fmt: skip


@pytest.mark.parametrize("what", MESHES)
def test_a_mesh(tmp_path: Path, what: str) -> None:
    pytest.importorskip("embreex")
    name, content, message = MESHES[what]
    (tmp_path / "renders").mkdir()
    (tmp_path / "renders" / name).write_bytes(content)
    refuse("mesh", tmp_path / "renders", message)


def test_too_many_triangles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.glb").write_bytes(GOOD_GLB)
    monkeypatch.setattr("bench.imports.mesh_file.MOST_FACES", 0)
    refuse("mesh", tmp_path, "has 1 triangles, right is up to 0")


VIDEOS: dict[str, tuple[str, bytes, str]] = {
    "noise": ("a.mp4", bytes(range(256)) * 9, "cannot be decoded"),
    "a playlist": ("a.mp4", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "cannot be decoded"),
    "a list of files": ("a.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "cannot be decoded"),
    "a WebM of noise": ("a.webm", bytes(range(256)) * 9, "cannot be decoded"),
    "an empty file": ("a.mp4", b"", "is empty"),
    "a GIF cut short": ("a.gif", encoded("GIF")[:200], "cannot be decoded|has . frames"),
    "a GIF of 65 535 pixels": ("a.gif", HOSTILE["GIF of 65 535 pixels"][0], "cannot be decoded|has 65535"),
    "a PNG": ("a.gif", encoded("PNG"), "cannot be decoded"),
}


@pytest.mark.parametrize("what", VIDEOS)
def test_a_video(tmp_path: Path, what: str) -> None:
    name, content, message = VIDEOS[what]
    if not name.endswith(".gif"):
        pytest.importorskip("av")
    (tmp_path / name).write_bytes(content)
    refuse("video", tmp_path, message)


def test_too_many_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.imports.video_frames.MOST_FRAMES", 3)
    write_gif(tmp_path / "a.gif", [colours(view) for view in range(5)])
    refuse("video", tmp_path, "has more than 3 frames, the most that are read")


@pytest.mark.parametrize(("layout", "name"), [("mesh", "a.glb"), ("ply", "a.ply"), ("video", "a.gif")])
def test_files_of_the_other_layouts(tmp_path: Path, layout: str, name: str) -> None:
    (tmp_path / "empty").mkdir()
    refuse(layout, tmp_path / "empty", "has no .*neither in it nor in the folders below")
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / name)
    refuse(layout, tmp_path / "pipe", "is a pipe")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to("/etc/passwd")
    refuse(layout, tmp_path / "out", "is a link that leads out of")
    (tmp_path / "folder" / name).mkdir(parents=True)
    refuse(layout, tmp_path / "folder", "is a folder, right is a file")


def test_a_bomb_in_the_pixels_is_not_inflated(tmp_path: Path) -> None:
    """Rows after the last are left in their compressed form, so this one is read, and at once."""
    import zlib

    save(colours(0), tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes(png(8, 8, data=zlib.compress(b"\0" * 2**26)))
    start = time.process_time()
    layout = layouts["frames"]()
    assert layout.images(layout.assets(tmp_path)[0], RING).rgb.shape == (2, 8, 8, 3)
    assert time.process_time() - start < 1.0


def test_the_count() -> None:
    """The bar is 60 cases of one line each."""
    assert len(HOSTILE) + len(OF_2_PNG) + len(FOLDERS) + len(NAMES) + len(TRIALS) + len(MESHES) + len(VIDEOS) >= 100

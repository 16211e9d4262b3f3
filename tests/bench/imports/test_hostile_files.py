"""Trials, meshes and videos that are broken or meant to harm: one line each, at once."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh
from foreign_renders import colours, save, write_gif, write_threestudio_trial
from hostile_images import HOSTILE, encoded, png
from hostile_places import Maker, link, refuse, replace, sparse
from PIL import Image

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
    "a texture of 30 000 pixels": ("a.glb", glb(png(30_000, 30_000)), "image 0: has far more pixels"),
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
    "a GIF cut short": ("a.gif", encoded("GIF")[:200], "cannot be decoded|is not an image of|has . frames"),
    "a GIF of 65 535 pixels": ("a.gif", HOSTILE["GIF of 65 535 pixels"][0], "has far more pixels"),
    "a PNG": ("a.gif", encoded("PNG"), "is not an image of a kind"),
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

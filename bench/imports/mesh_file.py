"""Files of meshes, with the materials and textures that they name."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trimesh.resolvers import ZipResolver

from bench.errors import InputError
from bench.imports.decoding import decode_image
from bench.imports.files import MOST_BYTES, read_bytes, shown
from bench.imports.glb_textures import MOST_TEXELS, check_textures
from bench.imports.listing import Listing
from methods.scenes.gaussians.initialisations.point_file import ENDINGS, MeshesInFile, PointsInFile, read_shape

#: Most triangles of a mesh.
MOST_FACES = 5_000_000

_LIBRARY = re.compile(rb"^[ \t]*mtllib[ \t]+(\S[^\r\n]*)", re.MULTILINE)
_MAP = re.compile(rb"^[ \t]*map_Kd[ \t]+(\S[^\r\n]*)", re.MULTILINE | re.IGNORECASE)


def files_of_mesh(path: Path, listing: Listing) -> tuple[Path, ...]:
    """A file and those that it names: for an OBJ, its libraries of materials and their colour textures.

    Args:
        path: The file, which ends in one of ``ENDINGS``.
        listing: The folder that it is in.

    Raises:
        InputError: If a named file is missing, or is not in the same folder or one below it.
        StorageError: If the file system refuses to read one.
    """
    if path.suffix.lower() != ".obj":
        return (path,)
    found = [path]
    for library in _named(_LIBRARY, path, listing):
        found += [library, *_named(_MAP, library, listing)]
    return tuple(dict.fromkeys(found))


def read_meshes(files: tuple[Path, ...]) -> MeshesInFile:
    """The meshes of :func:`files_of_mesh`.

    Raises:
        InputError: If they are broken, have no triangles or too many, or a texture is too large.
        StorageError: If the file system refuses to read one.
    """
    path, *others = files
    name = shown(path)
    # the library opens no file itself, and asks by the names as they are written
    contents = {other: read_bytes(other, most=MOST_BYTES) for other in others}
    named = {
        written: contents[there]
        for source, pattern in ((path, _LIBRARY), *((other, _MAP) for other in others))
        for written, there in _names(pattern, source)
        if there in contents
    }
    content = read_bytes(path)
    # a texture that cannot be decoded is left out by the library without an error
    if path.suffix.lower() == ".glb":
        check_textures(content, name)
    for other in others:
        if other.suffix.lower() != ".mtl":
            decode_image(contents[other], shown(other), background=0.0, most=MOST_TEXELS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the library, about files that are then refused or read
            shape = read_shape(content, path.suffix.lower(), ZipResolver(named))
    except ValueError as error:
        raise InputError(f"{name}: {shown(error)}; give a mesh ({', '.join(ENDINGS)})") from error
    if isinstance(shape, PointsInFile):
        raise InputError(f"{name}: holds points and no triangles; Gaussians need the layout ply")
    count = sum(len(mesh.faces) for mesh in shape.meshes)
    if count > MOST_FACES:
        raise InputError(f"{name}: has {count} triangles, right is up to {MOST_FACES}")
    return shape


def texture_of(mesh: Any) -> Any:
    """The colour texture of a mesh as Pillow's image; None without one, or without texture coordinates."""
    visual: Any = mesh.visual
    if visual.kind != "texture" or visual.uv is None or not len(visual.uv):
        return None
    material = visual.material
    return getattr(material, "baseColorTexture", None) or getattr(material, "image", None)


def _named(pattern: re.Pattern[bytes], path: Path, listing: Listing) -> Iterator[Path]:
    for written, found in _names(pattern, path):
        if ".." in found.relative_to(path.parent).parts or not found.resolve().is_relative_to(listing.root):
            raise InputError(f"{shown(path)}: names the file {shown(written)!r:.80}, which is outside of its folder")
        if not found.is_file():
            raise InputError(
                f"{shown(path)}: names the file {shown(written)!r:.80}, which is missing; copy it to its place"
            )
        yield found


def _names(pattern: re.Pattern[bytes], path: Path) -> Iterator[tuple[str, Path]]:
    """The names that a file has of others as they are written, and where these are."""
    for match in pattern.finditer(read_bytes(path)):
        written = match[1].decode("utf-8", "surrogateescape").strip()
        name = written.split()[-1] if written.startswith("-") else written  # options come before a texture's name
        yield written, path.parent / name.replace("\\", "/").lstrip("/")

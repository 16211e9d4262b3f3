"""The textures within a GLB, checked before a library reads the file that leaves out what it cannot decode."""

from __future__ import annotations

import json
import struct
from typing import Any

from bench.errors import InputError
from bench.imports.decoding import decode_image
from bench.imports.files import shown

#: Most pixels of a texture, 8192 × 8192.
MOST_TEXELS = 2**26

#: Extensions of glTF that a file may require: they change neither geometry nor colours as they are shown here.
_HARMLESS = {"KHR_materials_unlit"}


def check_textures(content: bytes, name: str) -> None:
    """Decode each image of a GLB (glTF 2.0, section 4.4).

    Args:
        content: The file.
        name: Its name for messages.

    Raises:
        InputError: If it is not a GLB, requires an extension that is not read, or an image cannot be decoded, is too
            large or is another file.
    """
    try:
        magic, version, _, length, kind = struct.unpack_from("<4s4I", content)
        if (magic, version, kind) != (b"glTF", 2, 0x4E4F534A) or length > len(content) - 20:
            raise InputError(f"{name}: is not a whole GLB of version 2")
        tree = json.loads(content[20 : 20 + length])
        extensions = set(tree.get("extensionsRequired", ())) - _HARMLESS
        if extensions:
            raise InputError(
                f"{name}: needs {shown(min(extensions))!r:.60} of glTF, which is not read; export it without"
            )
        for index, image in enumerate(tree.get("images", ())):
            texture = _image(image, tree, content[28 + length :], f"{name}: image {index}")
            decode_image(texture, f"{name}: image {index}", background=0.0, most=MOST_TEXELS)
    except (struct.error, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{name}: is not a whole GLB ({type(error).__name__}: {shown(error):.80})") from error


def _image(image: dict[str, Any], tree: dict[str, Any], binary: bytes, name: str) -> bytes:
    if "bufferView" not in image:
        raise InputError(f"{name}: is in another file or in the text; export the GLB with its textures in it")
    view = tree["bufferViews"][image["bufferView"]]
    start, length = view.get("byteOffset", 0), view["byteLength"]
    if start < 0 or length < 0 or start + length > len(binary):
        raise InputError(f"{name}: is cut short")
    return binary[start : start + length]

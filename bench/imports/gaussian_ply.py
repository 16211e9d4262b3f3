"""Files of Gaussians in the layout of 3D Gaussian Splatting's reference code."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.errors import InputError
from bench.imports.files import read_bytes, shown
from methods.scenes.gaussians.harmonics import MOST_DEGREE, coefficients
from methods.scenes.gaussians.turning import GaussianArrays

#: NumPy's names of the types of PLY's properties, both of the old and of the new names.
_TYPES = {
    "char": "i1", "uchar": "u1", "short": "<i2", "ushort": "<u2", "int": "<i4", "uint": "<u4", "float": "<f4",
    "double": "<f8", "int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2", "int32": "<i4", "uint32": "<u4",
    "float32": "<f4", "float64": "<f8",
}  # fmt: skip

#: Most bytes of a header, and most properties.
_MOST_HEADER, _MOST_PROPERTIES = 2**16, 512


def read_gaussians(path: Path) -> GaussianArrays:
    """Read a binary PLY with ``x y z``, ``f_dc_*``, ``f_rest_*``, ``opacity``, ``scale_*`` and ``rot_*``, in any order.

    These are the parameters themselves: coefficients of harmonics (``f_rest``: all of red, then of green, then of
    blue), opacities before the sigmoid, logarithms of standard deviations, quaternions with the real part first.
    Further properties are left out.

    Raises:
        InputError: If it is not such a file, is cut short, or has values that are not finite.
        StorageError: If the file system refuses to read it.
    """
    content, name = read_bytes(path), shown(path)
    head, end, _ = content[:_MOST_HEADER].partition(b"end_header\n")
    if not content.startswith((b"ply\n", b"ply\r\n")) or not end:
        raise InputError(f"{name}: is not a PLY file")
    count, properties = _read_header(head.decode("ascii", "replace"), name)
    rows = np.dtype(properties)
    body_at = len(head) + len(end)
    if len(content) - body_at < count * rows.itemsize:
        raise InputError(
            f"{name}: is cut short: {count} Gaussians need {count * rows.itemsize} bytes, "
            f"it has {len(content) - body_at}"
        )
    table = np.frombuffer(content, rows, count, body_at)
    found = _arrays(table, rows.names or (), name)
    for field, values in found._asdict().items():
        if broken := int((~np.isfinite(values)).any(axis=tuple(range(1, values.ndim))).sum()):
            raise InputError(f"{name}: {field} of {broken} of its {count} Gaussians are not finite")
    if not (np.linalg.norm(found.rotations, axis=1) > 0).all():
        raise InputError(f"{name}: some of its quaternions (rot_0 to rot_3) are 0")
    return found


def _read_header(head: str, name: str) -> tuple[int, list[tuple[str, str]]]:
    """The number of vertices and their properties, as NumPy names them."""
    count, properties, element = 0, [], None
    for line in head.splitlines()[1:]:
        match line.split():
            case ["format", form, *_] if form != "binary_little_endian":
                raise InputError(f"{name}: is in the format {shown(form):.40}, right is binary_little_endian")
            case ["element", "vertex", number] if element is None and number.isascii() and number.isdigit():
                element, count = "vertex", int(number[:18])
            case ["element", kind, *_] if element is None:
                raise InputError(f"{name}: starts with the element {shown(kind):.40}, right is vertex")
            case ["element", *_]:
                element = "other"
            case ["property", kind, key] if element == "vertex" and kind in _TYPES:
                properties.append((key, _TYPES[kind]))
            case ["property", *rest] if element == "vertex":
                raise InputError(f"{name}: has the property {shown(' '.join(rest)):.60}, which no Gaussians have")
    if not count:
        raise InputError(f"{name}: has no vertices")
    if len({key for key, _ in properties}) < len(properties) or not 0 < len(properties) <= _MOST_PROPERTIES:
        raise InputError(f"{name}: has {len(properties)} properties, some of them twice or too many")
    return count, properties


def _arrays(table: np.ndarray, names: tuple[str, ...], name: str) -> GaussianArrays:
    rest = sum(key.startswith("f_rest_") for key in names)
    degrees = [degree for degree in range(MOST_DEGREE + 1) if 3 * (coefficients(degree) - 1) == rest]
    groups = {
        "means": ["x", "y", "z"],
        "log_scales": [f"scale_{index}" for index in range(3)],
        "rotations": [f"rot_{index}" for index in range(4)],
        "opacity_logits": ["opacity"],
        "f_dc": [f"f_dc_{index}" for index in range(3)],
        "f_rest": [f"f_rest_{index}" for index in range(rest)],
    }
    missing = [key for keys in groups.values() for key in keys if key not in names]
    if missing:
        raise InputError(
            f"{name}: has no property {missing[0]}, so it is not one of Gaussians; a mesh needs the layout mesh"
        )
    if not degrees:
        raise InputError(f"{name}: has {rest} properties f_rest_*, right is 0, 9, 24 or 45 (degrees 0 to 3)")
    parts = {
        group: np.stack([table[key].astype(np.float64) for key in keys], axis=1) if keys else np.empty((len(table), 0))
        for group, keys in groups.items()
    }
    higher = parts.pop("f_rest").reshape(len(table), 3, -1).transpose(0, 2, 1)
    harmonics = np.concatenate([parts.pop("f_dc")[:, None], higher], axis=1)
    return GaussianArrays(harmonics=harmonics, **parts)

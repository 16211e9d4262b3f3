"""The Gaussians of a finished cell as a file that viewers open."""

from __future__ import annotations

from pathlib import Path

from bench.cells.finished_scene import load_scene
from bench.errors import InputError
from bench.exports.gaussian_files import GAUSSIAN_FILES
from bench.records.atomic import write_bytes_atomically
from methods.pixels import NotFiniteError
from methods.scenes.gaussians.gaussians import GaussianScene


def export_gaussians(record_folder: Path, out: Path) -> Path:
    """Write the Gaussians of a record; the diffusion prior is not needed.

    Args:
        record_folder: A cell's folder, ``runs/<study>/cells/<cell>``.
        out: The file to write, which ends in ``.ply`` or ``.splat``; an existing one is replaced.

    Raises:
        InputError: If the record is corrupt, its scene is not one of Gaussians or not finite, or ``out`` has another
            ending.
        StorageError: If ``out`` cannot be written.
    """
    if out.suffix.lower() not in GAUSSIAN_FILES:
        raise InputError(f"{out}: must end in {', '.join(GAUSSIAN_FILES)}, the formats of Gaussians that are written")
    scene = load_scene(record_folder)
    if not isinstance(scene, GaussianScene):
        raise InputError(
            f"{record_folder}: {type(scene).__name__} is a scene without Gaussians; give --mesh out.glb for its surface"
        )
    try:
        content = GAUSSIAN_FILES[out.suffix.lower()](scene)
    except NotFiniteError as error:
        raise InputError(f"{record_folder}: {error}") from error
    write_bytes_atomically(out, content)
    return out

"""From the path that a user names to the folder of a pipeline, or what is there instead."""

from __future__ import annotations

from pathlib import Path

from methods.paths import expand_path
from methods.priors.pipeline.folder import INDEX
from methods.weights import CARD, WeightsError, WeightsMissingError

_CHECKPOINTS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
_CONVERT = "a prior is a folder in diffusers' format, which sdibench convert FILE FOLDER writes"


def snapshot_in(path: Path) -> Path:
    """The folder with a repository's files: ``path``, or the one snapshot of the hub's cache of that repository.

    Raises:
        WeightsError: If the cache has no snapshot or several; the message names them.
    """
    if not (path / "snapshots").is_dir() or (path / INDEX).is_file():
        return path
    found = sorted(folder for folder in (path / "snapshots").iterdir() if folder.is_dir())
    if len(found) == 1:
        return found[0]
    raise WeightsError(
        f"{path}: is the hub's cache of a repository with {len(found)} snapshots; "
        + (f"name the folder of one: {', '.join(map(str, found))}" if found else "download the repository again")
    )


def find_pipeline(given: str) -> Path | None:
    """The folder of the pipeline that ``given`` leads to; None if it is not a path.

    Raises:
        WeightsMissingError: If there is nothing at the path.
        WeightsError: If there is something else.
    """
    path = expand_path(given)
    if path.is_dir():
        folder = snapshot_in(path)
        if any((folder / file).is_file() for file in (CARD, INDEX)):
            return folder
        raise WeightsError(f"{given}: {_describe(folder)}")
    if path.exists():
        is_checkpoint = path.suffix.lower() in _CHECKPOINTS
        raise WeightsError(f"{given}: is a {'checkpoint in one ' * is_checkpoint}file; {_CONVERT}")
    if looks_like_path(given):
        raise WeightsMissingError(
            f"{given}: there is no such folder; a prior is a name, a pipeline's folder or owner/name"
        )
    return None


def looks_like_path(given: str) -> bool:
    """Test whether a text can only be a path, and not a name or a repository."""
    return given.startswith((".", "~", "/")) or given.count("/") > 1 or given.lower().endswith(_CHECKPOINTS)


def _describe(folder: Path) -> str:
    """Describe a folder without a pipeline."""
    inner = sorted(path for path in folder.iterdir() if path.is_dir())
    cached = [path for path in inner if path.name.startswith("models--")]
    if cached:
        return f"is a cache of the hub; name the folder of one model in it, such as {cached[0]}"
    pipelines = [path for path in inner if (path / INDEX).is_file()]
    if pipelines:
        return f"has no {INDEX}; name the folder of the pipeline in it: {', '.join(map(str, pipelines[:3]))}"
    checkpoints = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _CHECKPOINTS)
    if checkpoints:
        return f"has no {INDEX}, but a checkpoint in one file, {checkpoints[0]}; {_CONVERT}"
    return f"is a folder without {INDEX}, so it is not a pipeline in diffusers' format"

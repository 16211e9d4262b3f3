"""A look into a file of weights or settings: whether it is what its name says, and whole."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from methods.weights import WeightsError

_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGE = (b"<!doctype html", b"<html")
_TEXTS = (".json", ".txt")


def check_file(path: Path) -> None:
    """Check that a file can be read as what its ending says, without reading its tensors.

    Of a ``.safetensors`` file the header is read, which must account for every byte; ``.json`` is parsed, ``.txt`` is
    decoded.  Any file may turn out to be a pointer of Git LFS, a web page or empty.

    Raises:
        WeightsError: If it cannot; the message says what the file is instead.
    """
    try:
        with path.open("rb") as file:
            start = file.read(200)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    if start.startswith(_POINTER):
        raise WeightsError(
            f"{path}: is a pointer of Git LFS, not the file; run `git lfs pull` where it was cloned, or copy the file"
        )
    if start.lstrip().lower().startswith(_PAGE):
        raise WeightsError(f"{path}: is a web page, not the file; download the file itself")
    if not start:
        raise WeightsError(f"{path}: is empty; copy or download it again")
    if path.suffix == ".safetensors":
        _check_tensors(path)
    elif path.suffix in _TEXTS:
        _check_text(path)


def _check_tensors(path: Path) -> None:
    try:
        with safe_open(path, framework="numpy") as file:
            has_tensors = bool(file.keys())
    except (SafetensorError, OSError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise WeightsError(
            f"{path}: is not a whole safetensors file ({why}; {path.stat().st_size} bytes); copy or download it again"
        ) from None
    if not has_tensors:
        raise WeightsError(f"{path}: holds no tensors; copy or download it again")


def _check_text(path: Path) -> None:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            json.loads(text)
    except (ValueError, RecursionError) as error:
        what = "JSON" if path.suffix == ".json" else "text in UTF-8"
        raise WeightsError(f"{path}: is not {what} ({error}); copy or download it again") from None

"""Places in folders of renders that are meant to harm, and the check that a layout refuses them."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import InputError
from bench.imports.layouts import layouts
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

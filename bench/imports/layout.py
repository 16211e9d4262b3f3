"""The contract of a layout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from bench.imports.asset import Asset, AssetImages
from bench.study.settings import EvaluationSettings


@dataclass(frozen=True)
class Layout(ABC):
    """The settings of a layout."""

    @abstractmethod
    def assets(self, folder: Path) -> list[Asset]:
        """The objects in ``folder``, in the natural order of their places; no image is decoded.

        Raises:
            InputError: If the folder does not have the layout, in one line.
            StorageError: If the file system refuses to list it.
        """

    @abstractmethod
    def images(self, asset: Asset, ring: EvaluationSettings) -> AssetImages:
        """The images of an object that :meth:`assets` found.

        Args:
            asset: The object.
            ring: The study's evaluation cameras; its ``background`` is the grey behind transparent images.

        Raises:
            InputError: If a file is broken, hostile or does not fit the others, in one line that names it.
            StorageError: If the file system refuses to read a file.
        """

    @property
    def has_our_cameras(self) -> bool:
        """Whether the images are those of the study's own evaluation cameras."""
        return False

"""The shapes of a pipeline's networks, from their configurations: enough to count what they cost without weights."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from methods.priors.pipeline.folder import read_json


class Architecture(NamedTuple):
    """The configuration of each network of a pipeline, with the keys of its ``config.json``."""

    unet: dict[str, Any]
    vae: dict[str, Any]
    text_encoder: dict[str, Any]

    @classmethod
    def of_folder(cls, folder: Path) -> Architecture:
        """The architecture of the pipeline in ``folder``, whose weights need not be there.

        Raises:
            WeightsError: If a configuration is missing or is not a JSON object.
        """
        return cls(*(read_json(folder / name / "config.json") for name in cls._fields))

    @classmethod
    def of_file(cls, path: Path) -> Architecture:
        """The architecture in a TOML file of this package, with a table for each network."""
        return cls(**tomllib.loads(path.read_text(encoding="utf-8")))

    @property
    def has_patch_codec(self) -> bool:
        """Whether images become latents by the toybox's codec, and the networks therefore run in float32."""
        return "patch" in self.vae

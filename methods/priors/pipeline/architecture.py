"""The shapes of a pipeline's networks, from their configurations: enough to count what they cost without weights."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from methods.priors.pipeline.families.family import Family
from methods.priors.pipeline.families.stable_diffusion import StableDiffusion
from methods.priors.pipeline.folder import family_in, read_configs


class Architecture(NamedTuple):
    """The configuration of each network of a pipeline, with the keys of its ``config.json``, and the family."""

    configs: Mapping[str, dict[str, Any]]
    family: type[Family] = StableDiffusion

    @classmethod
    def of_folder(cls, folder: Path) -> Architecture:
        """The architecture of the pipeline in ``folder``, whose weights need not be there.

        Raises:
            WeightsError: If a configuration is missing or is not a JSON object, or the pipeline cannot be a prior.
        """
        family = family_in(folder)
        return cls(read_configs(folder, family.networks()), family)

    @classmethod
    def of_file(cls, path: Path) -> Architecture:
        """The architecture of Stable Diffusion's family in a TOML file of this package, a table for each network."""
        return cls(tomllib.loads(path.read_text(encoding="utf-8")))

    @property
    def has_patch_codec(self) -> bool:
        """Whether images become latents by the toybox's codec, and the networks therefore run in float32."""
        return "patch" in self.configs.get("vae", {})
